"""People whom another system vouches for: Airflow around an embedded coordinator, or an OpenID provider.

The first time that a system names somebody, his identity there is bound to the user with his email, and then for ever:
who gets that email later is somebody else. Roles of the other system become roles here where the settings say so, at
every visit; without a word in the settings, the other system makes nobody an admin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.accounts import is_last_admin
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call, Coordinator
from cape_airflow.coordinator.people import create_user, find_user, may_log_in
from cape_airflow.coordinator.permissions import Role
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import ExternalIdentity, User


@dataclass(frozen=True)
class RoleMapping:
    """Which roles or groups of the other system are which role here; where both are empty, roles are ours to give."""

    admins: frozenset[str] = frozenset()
    auditors: frozenset[str] = frozenset()

    def role_of(self, roles: frozenset[str]) -> Role | None:
        """Return the role of somebody with these roles elsewhere; None where the mapping says nothing about roles."""
        if roles & self.admins:
            return Role.ADMIN
        if roles & self.auditors:
            return Role.AUDITOR
        return Role.USER if self.admins or self.auditors else None


@dataclass(frozen=True)
class Identity:
    """Somebody, as another system names him.

    Args:
        issuer, subject: who says so, and his name there that is never given to anybody else.
        email: in lower case; the issuer has verified it.
        roles: what he is there.
        new_users: whether whom we do not know becomes a user.
    """

    issuer: str
    subject: str
    email: str
    name: str
    roles: frozenset[str] = frozenset()
    mapping: RoleMapping = RoleMapping()
    new_users: bool = True


class IdentityProvider(Protocol):
    """The system around the coordinator, which knows who sends a request: the session is that system's."""

    async def identify(self, request: Request) -> Identity | None:
        """Return who sends the request, or None where that is not known."""

    def log_in_url(self, back: str) -> str:
        """Return where people log in who are to come back to the path `back`."""


def known(coordinator: Coordinator, session: Session, identity: Identity) -> bool:
    """Return whether the identity is a user with the role that it says, so that `admit` has nothing to write.

    Raises:
        Problem: 403 where he is deactivated, or ``tampered``.
    """
    user = bound(coordinator, session, identity)
    return user is not None and identity.mapping.role_of(identity.roles) in (None, user.role)


def admit(call: Call, identity: Identity) -> User:
    """Return the user whom the identity is: bound to it now where he was not, made where he is new, with his role.

    Raises:
        Problem: 403 ``unknown-person`` where new people are not let in; ``other-identity`` where the email belongs to
            somebody else of that system; where he is deactivated; or ``tampered``.
    """
    user = bound(call.coordinator, call.session, identity) or _bind(call, identity)
    role = identity.mapping.role_of(identity.roles)
    if role is not None and role is not user.role and not is_last_admin(call, user):
        user.role = role
        call.seals.put(user)
        call.record(Event.UPDATE_USER, "user", user.id, f"{user.email} {user.role}")
    return user


def bound(coordinator: Coordinator, session: Session, identity: Identity) -> User | None:
    """Return the user whom the identity is, or None where it is nobody's yet; the last admin whatever role it says.

    Raises:
        Problem: 403 where he is deactivated, or ``tampered``.
    """
    named = ExternalIdentity.issuer == identity.issuer, ExternalIdentity.subject == identity.subject
    row = session.scalar(select(ExternalIdentity).where(*named))
    if row is None:
        return None
    coordinator.seals.check(row, row.user)
    _check_active(row.user)
    return row.user


def _bind(call: Call, identity: Identity) -> User:
    user = find_user(call.session, identity.email)
    if user is None:
        if not identity.new_users:
            raise Problem(403, "unknown-person", "nobody here has your email; ask an admin to make you a user first")
        user = create_user(call, identity.email, identity.name, Role.USER)
    else:
        call.seals.check(user)
        _check_active(user)
        _check_unbound(call, user, identity)
    row = ExternalIdentity(issuer=identity.issuer, subject=identity.subject, user=user, created_at=call.now)
    call.seals.put(row)
    call.session.add(row)
    call.record(Event.BIND_IDENTITY, "user", user.id, f"{user.email} {identity.issuer}")
    return user


def _check_unbound(call: Call, user: User, identity: Identity) -> None:
    taken = select(ExternalIdentity.seq).where(
        ExternalIdentity.user_seq == user.seq, ExternalIdentity.issuer == identity.issuer
    )
    if call.session.scalar(taken) is not None:
        raise Problem(403, "other-identity", "your email belongs to somebody who had it before you; ask an admin")


def _check_active(user: User) -> None:
    if not may_log_in(user):
        raise Problem(403, "deactivated", "this account is deactivated, or no person's; ask an admin")
