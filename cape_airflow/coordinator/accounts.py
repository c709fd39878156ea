"""Accounts: roles, deactivation, invitations, and the service accounts of workers. The last admin stays."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.one_time_links import forget_links
from cape_airflow.coordinator.people import create_user, find_user, revoke_all_tokens, store_token
from cape_airflow.coordinator.permissions import ProjectRole, Role, UserKind
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.projects import set_contributor
from cape_airflow.coordinator.sessions import end_sessions
from cape_airflow.coordinator.store.models import Contributor, Token, User


def get_user(call: Call, email: str) -> User:
    """Return a user.

    Raises:
        Problem: 404 where there is none; 403 ``tampered``.
    """
    user = find_user(call.session, email)
    if user is None:
        raise missing("user")
    call.seals.check(user)
    return user


def set_role(call: Call, email: str, role: Role) -> User:
    """Give a user another role in the whole deployment.

    Raises:
        Problem: 404 where there is no such user; 409 ``last-admin``, or ``service-account`` for anything but `user`.
    """
    user = get_user(call, email)
    if user.kind is UserKind.SERVICE and role is not Role.USER:
        raise Problem(409, "service-account", "a service account is a user, and what a project makes of it")
    if role is not Role.ADMIN:
        _keep_an_admin(call, user)
    user.role = role
    call.seals.put(user)
    call.record(Event.UPDATE_USER, "user", user.id, f"{email} {role}")
    return user


def deactivate(call: Call, email: str) -> User:
    """End a user's access at once: sessions, tokens and links. What he did stays in the records under his name.

    Raises:
        Problem: 404 where there is no such user; 409 ``last-admin``.
    """
    user = get_user(call, email)
    _keep_an_admin(call, user)
    if user.deactivated_at is None:
        user.deactivated_at = call.now
        call.seals.put(user)
        end_sessions(call.session, user)
        forget_links(call.session, user)
        revoke_all_tokens(call, user)
        call.record(Event.DEACTIVATE_USER, "user", user.id, email)
    return user


def activate(call: Call, email: str) -> User:
    """Let a user in again; he needs a new token, or his password.

    Raises:
        Problem: 404 where there is no such user.
    """
    user = get_user(call, email)
    if user.deactivated_at is not None:
        user.deactivated_at = None
        call.seals.put(user)
        call.record(Event.ACTIVATE_USER, "user", user.id, email)
    return user


def create_worker(call: Call, email: str, name: str) -> Contributor:
    """Make a service account that is a worker of the project, and nothing elsewhere.

    Raises:
        Problem: 409 where the email is taken.
    """
    create_user(call, email, name, Role.USER, UserKind.SERVICE)
    call.session.flush()
    return set_contributor(call, email, ProjectRole.WORKER)


def create_worker_token(call: Call, email: str, description: str, days: int) -> tuple[Token, ApiToken]:
    """Make an API token for a service account of the project.

    An owner makes them for those alone that are workers here, and nothing anywhere else: a token for a worker of two
    projects would open the keys of the other one. As with one's own, it ends with the token that made it.

    Raises:
        Problem: 404 where it is none of those; 403 ``tampered``.
    """
    return store_token(call, _worker_of_project(call, email), description, days)


def _worker_of_project(call: Call, email: str) -> User:
    user = find_user(call.session, email)
    memberships = _memberships(call.session, user) if user else []
    call.seals.check(*([user] if user else []), *memberships)
    own = [(row.project_seq, row.role) for row in memberships] == [(call.project.seq, ProjectRole.WORKER)]
    if user is None or user.kind is not UserKind.SERVICE or not own:
        raise missing("worker of this project alone")
    return user


def _memberships(session: Session, user: User) -> Sequence[Contributor]:
    return session.scalars(select(Contributor).where(Contributor.user_seq == user.seq)).all()


def is_last_admin(call: Call, user: User) -> bool:
    """Return whether no other active admin is left.

    Whoever else changes an admin at this moment waits, and then finds one less.
    """
    query = select(User).where(User.role == Role.ADMIN, User.deactivated_at.is_(None)).order_by(User.seq)
    admins = call.session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return [admin.seq for admin in admins if call.seals.intact(admin)] == [user.seq]


def _keep_an_admin(call: Call, user: User) -> None:
    if is_last_admin(call, user):
        raise Problem(409, "last-admin", "this is the last admin; make somebody else an admin first")
