"""Users and their API tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.access import forbidden
from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.permissions import Role, UserKind
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.store.models import Token, User


def new_user(email: str, name: str, role: Role, now: datetime, kind: UserKind = UserKind.PERSON) -> User:
    """Return a user that is not stored yet."""
    return User(id=new_id(now), email=email, name=name, role=role, kind=kind, created_at=now)


def new_token(
    user: User, description: str, expires_at: datetime, now: datetime, parent: Token | None = None
) -> tuple[Token, ApiToken]:
    """Return a token row that is not stored yet, and the token that only its owner sees.

    Args:
        parent: the token that the new one is made with, and revoked with.
    """
    token = ApiToken.generate(now)
    row = Token(
        id=token.id,
        user=user,
        parent_id=parent.id if parent else None,
        secret_digest=token.digest(),
        description=description,
        created_at=now,
        expires_at=expires_at,
    )
    return row, token


def create_user(call: Call, email: str, name: str, role: Role, kind: UserKind = UserKind.PERSON) -> User:
    """Make a user, who can do nothing before he has a token or a password, and a project.

    Raises:
        Problem: 409 where the email is taken; 422 for a service account that is more than a user.
    """
    if kind is UserKind.SERVICE and role is not Role.USER:
        raise Problem(422, "invalid", "body.role: a service account is a user, and what a project makes of it")
    if find_user(call.session, email):
        raise Problem(409, "already-exists", "there is a user with this email already")
    user = new_user(email, name, role, call.now, kind)
    call.seals.put(user)
    call.session.add(user)
    call.record(Event.CREATE_USER, "user", user.id, email)
    return user


def create_token(call: Call, description: str, days: int, email: str | None) -> tuple[Token, ApiToken]:
    """Make an API token for oneself, or as an admin for anybody.

    Who comes with one and is no admin cannot make one that lives longer: a leaked token does not renew itself.

    Raises:
        Problem: 403 for somebody else's; 404 where there is no such user; 401 where one's token is revoked meanwhile.
    """
    return store_token(call, _owner(call, email, any=call.by_admin) or call.user, description, days)


def store_token(call: Call, owner: User, description: str, days: int) -> tuple[Token, ApiToken]:
    """Make an API token for a user whom the caller may make one for.

    Raises:
        Problem: 401 where the caller's token is revoked meanwhile; 409 ``deactivated``.
    """
    expires_at = call.now + timedelta(days=days)
    if call.token is not None:
        _hold(call, call.token)
        expires_at = expires_at if call.by_admin else min(expires_at, call.token.expires_at)
    if owner.deactivated_at is not None:
        raise Problem(409, "deactivated", "this account is deactivated; activate it first")
    row, token = new_token(owner, description, expires_at, call.now, call.token)
    call.seals.put(row)
    call.session.add(row)
    call.record(Event.CREATE_TOKEN, "token", token.id, row.user.email)
    return row, token


def tokens(call: Call, email: str | None) -> Select[Token]:
    """Return the query of one's own tokens; as an admin or auditor of anybody's, or of everybody's.

    Raises:
        Problem: 403 for somebody else's; 404 where there is no such user.
    """
    owner = _owner(call, email, any=call.sees_all)
    return select(Token).where(Token.user_seq == owner.seq) if owner else select(Token)


def revoke_token(call: Call, token_id: str) -> Token:
    """Revoke a token from now on, and all that were made with it; a revoked one stays as it is.

    Raises:
        Problem: 404 where there is none, or one of somebody else and the caller is no admin.
    """
    query = select(Token).where(Token.id == token_id).with_for_update(of=Token)
    token = call.session.scalar(query if call.by_admin else query.where(Token.user_seq == call.user.seq))
    if token is None:
        raise missing("token")
    line = [token]
    while line:
        descendant = line.pop()
        if descendant.revoked_at is None:
            _revoke(call, descendant)
            line += call.session.scalars(
                select(Token).where(Token.parent_id == descendant.id).with_for_update(of=Token)
            )
    return token


def revoke_all_tokens(call: Call, user: User) -> None:
    """Revoke every token of a user that is not revoked yet."""
    active = select(Token).where(Token.user_seq == user.seq, Token.revoked_at.is_(None))
    for token in call.session.scalars(active.with_for_update(of=Token)):
        _revoke(call, token)


def find_user(session: Session, email: str) -> User | None:
    """Return the user with that email, in lower case, or None."""
    return session.scalar(select(User).where(User.email == email))


def may_log_in(user: User) -> bool:
    """Return whether the user may have a session at all: an active person may."""
    return user.kind is UserKind.PERSON and user.deactivated_at is None


def _hold(call: Call, token: Token) -> None:
    """Have whoever revokes the token at this moment wait, so that he finds what is made with it; or he was first."""
    call.session.refresh(token, with_for_update={"of": Token})
    call.seals.check(token)
    if token.revoked_at is not None:
        raise Problem(401, "unauthenticated", "this API token was revoked")


def _revoke(call: Call, token: Token) -> None:
    token.revoked_at = call.now
    call.seals.put(token)
    call.record(Event.REMOVE_TOKEN, "token", token.id, token.user.email)


def _owner(call: Call, email: str | None, *, any: bool) -> User | None:
    """Return whose tokens are meant: None for everybody's, which only those get who may have `any`."""
    if email == call.user.email or (email is None and not any):
        return call.user
    if not any:
        raise forbidden("an admin, for tokens of somebody else")
    if email is None:
        return None
    user = find_user(call.session, email)
    if user is None:
        raise missing("user")
    call.seals.check(user)
    return user
