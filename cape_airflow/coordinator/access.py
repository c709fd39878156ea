"""Who is it, and may he: the two questions that every guarded request answers first, inside its transaction."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from fastapi import Request
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.permissions import Audience, ProjectRole, Role, Rule
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.review.quorum import names_auditors
from cape_airflow.coordinator.seals import Seals
from cape_airflow.coordinator.store.models import BrowserSession, Contributor, Project, Token, User

log = logging.getLogger(__name__)

_USE_NOTED_EVERY = timedelta(minutes=1)


def address_of(request: Request) -> str:
    """Return the client's address; behind a proxy, uvicorn has put in what the trusted proxy says."""
    return request.client.host[:64] if request.client else "unknown"


def presented_token(request: Request, coordinator: Coordinator) -> ApiToken:
    """Return the token of the ``Authorization: Bearer`` header (RFC 6750), not yet checked.

    Raises:
        Problem: 401; or 429 after too many failures from one address.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise unauthenticated("send an API token: Authorization: Bearer <token>")
    try:
        return ApiToken.parse(credentials.strip())
    except ValueError:
        raise _failure(coordinator, address_of(request), "this is not an API token") from None


def authenticate(coordinator: Coordinator, session: Session, presented: ApiToken, address: str) -> Token:
    """Return the stored token that `presented` is.

    Raises:
        Problem: 401 where it is unknown, revoked or expired; 429 after too many failures from one address; 403
            ``tampered``.
    """
    token = session.scalar(select(Token).where(Token.id == presented.id))
    if token is None or not presented.matches(token.secret_digest):
        raise _failure(coordinator, address, "this API token is not known")
    coordinator.seals.check(token, token.user)
    if token.user.deactivated_at is not None:
        raise _failure(coordinator, address, "this account is deactivated; ask an admin")
    if token.revoked_at is not None:
        raise _failure(coordinator, address, "this API token was revoked")
    if coordinator.clock() >= token.expires_at:
        raise _failure(coordinator, address, "this API token has expired; make a new one")
    return token


def authorise(seals: Seals, session: Session, rule: Rule, user: User, label: str | None) -> Project | None:
    """Return the project that the request is about, where the rule lets the user at it.

    Raises:
        Problem: 404 where there is no such project, or none that the user belongs to; 403 where his role is not enough,
            or ``tampered``.
    """
    if rule.audience is Audience.PROJECT:
        return _authorise_in_project(seals, session, rule, user, label)
    if rule.audience is Audience.ADMIN and not _without_membership(rule, user):
        raise forbidden("an admin or an auditor" if rule.auditor else "an admin")
    if rule.audience is Audience.PERSON and _is_worker(seals, session, user):
        raise forbidden("people; the tokens of workers are made by an admin")
    return None


def forbidden(who: str) -> Problem:
    """Return the 403 that says who may."""
    return Problem(403, "forbidden", f"this may only be done by {who}")


def note_use(
    coordinator: Coordinator, session: Session, row: Token | BrowserSession, *, writes: bool, now: datetime
) -> None:
    """Write down that it is in use, once a minute. A reading request goes on where that cannot be written."""
    if row.last_used_at is not None and abs(now - row.last_used_at) < _USE_NOTED_EVERY:
        return
    statement = update(type(row)).where(type(row).seq == row.seq).values(last_used_at=now)
    if writes:
        session.execute(statement)
        return
    try:
        with coordinator.store.write() as aside:
            aside.execute(statement)
            aside.commit()
    except OperationalError:
        log.warning("the database takes no writes; the use of %s %s was not noted", row.__tablename__, row.id)


def _authorise_in_project(seals: Seals, session: Session, rule: Rule, user: User, label: str | None) -> Project:
    query = select(Project).where(Project.label == label)
    # Who governs waits for those before him, and only then is his role looked up: it is his role at this moment.
    project = session.scalar(query.with_for_update(key_share=True) if rule.governs else query)
    if project is None:
        raise missing("project")
    membership = session.scalar(
        select(Contributor).where(Contributor.project_seq == project.seq, Contributor.user_seq == user.seq)
    )
    seals.check(project, *([membership] if membership else []))
    if _without_membership(rule, user):
        return project
    if user.role is Role.AUDITOR:
        if rule.voter and names_auditors(seals, session, project):
            return project
        raise forbidden("members of the project; an auditor only reads")
    role = membership.role if membership else None
    if role in rule.roles:
        return project
    if role is None:
        raise missing("project")
    raise forbidden(" or ".join(sorted(rule.roles)) + " of the project")


def _without_membership(rule: Rule, user: User) -> bool:
    """Whether what the user is to the whole deployment is enough."""
    if user.role is Role.ADMIN:
        return rule.admin or rule.audience is Audience.ADMIN
    return user.role is Role.AUDITOR and rule.auditor


def _is_worker(seals: Seals, session: Session, user: User) -> bool:
    """Whether the user is a worker wherever he is anything."""
    memberships = session.scalars(select(Contributor).where(Contributor.user_seq == user.seq)).all()
    seals.check(*memberships)
    roles = {membership.role for membership in memberships}
    return user.role is Role.USER and roles == {ProjectRole.WORKER}


def _failure(coordinator: Coordinator, address: str, message: str) -> Problem:
    seconds = coordinator.throttle.fail(address, coordinator.clock())
    if seconds:
        return Problem(429, "too-many-failures", "too many failed authentications", {"Retry-After": str(seconds)})
    return unauthenticated(message)


def unauthenticated(message: str) -> Problem:
    """Return the 401 with the challenge of RFC 6750."""
    return Problem(401, "unauthenticated", message, {"WWW-Authenticate": "Bearer"})
