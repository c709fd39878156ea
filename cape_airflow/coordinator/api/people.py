"""Users, tokens, and who am I."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from cape_airflow.coordinator import people
from cape_airflow.coordinator.api.paging import Cursor, Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, Email, Line, Moment
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.permissions import ProjectRole, Role
from cape_airflow.coordinator.store.models import Contributor, Token, User

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["people"])


class UserAnswer(Answer):
    """A user."""

    id: str
    email: str
    name: str
    role: Role
    created_at: Moment


class Membership(Answer):
    """A project that a user belongs to, and as what."""

    label: str
    role: ProjectRole


class Me(UserAnswer):
    """The caller, with all his projects, and when the token or session that he came with expires; null with Airflow."""

    projects: list[Membership]
    expires_at: Moment | None


class NewUser(Body):
    """Who is to be made a user."""

    email: Email
    name: Line
    role: Annotated[Role, Field(strict=False)] = Role.USER


class NewToken(Body):
    """The token that is wanted: for oneself, or as an admin for somebody else."""

    description: Line
    user_email: Email | None = None
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] = 90


class TokenAnswer(Answer):
    """What is known of a token."""

    id: str
    description: str
    user_email: str
    created_at: Moment
    expires_at: Moment
    revoked_at: Moment | None
    last_used_at: Moment | None


class MadeToken(TokenAnswer):
    """A new token, in clear this once."""

    token: str


class TokensOf(Cursor):
    """Whose tokens, and which page."""

    user_email: Email | None = None


@router.get("/me")
def me(call: CallDep) -> Me:
    """Return who the caller is."""
    memberships = call.session.scalars(
        select(Contributor)
        .where(Contributor.user_seq == call.user.seq)
        .options(joinedload(Contributor.project))
        .order_by(Contributor.seq)
    )
    projects = [Membership(label=row.project.label, role=row.role) for row in memberships]
    return Me(**dict(show_user(call.user)), projects=projects, expires_at=call.expires_at)


@router.post("/users", status_code=201)
def create_user(body: NewUser, call: CallDep) -> UserAnswer:
    """Make a user."""
    return show_user(people.create_user(call, body.email, body.name, body.role))


@router.get("/users")
def users(paging: Paging, call: CallDep) -> Page[UserAnswer]:
    """List the users."""
    return page(call.session, select(User), User, paging, show_user)


@router.post("/tokens", status_code=201)
def create_token(body: NewToken, call: CallDep) -> MadeToken:
    """Make an API token, and show it this once."""
    row, token = people.create_token(call, body.description, body.expires_in_days, body.user_email)
    return MadeToken(**dict(show_token(row)), token=token.write())


@router.get("/tokens")
def tokens(paging: Annotated[TokensOf, Query()], call: CallDep) -> Page[TokenAnswer]:
    """List one's own tokens; as an admin everybody's, or those of `user_email`."""
    return page(call.session, people.tokens(call, paging.user_email), Token, paging, show_token)


@router.delete("/tokens/{id}")
def revoke_token(id: str, call: CallDep) -> TokenAnswer:
    """Revoke a token at once."""
    return show_token(people.revoke_token(call, id))


def show_user(user: User) -> UserAnswer:
    """Return what is shown of a user."""
    return UserAnswer(id=user.id, email=user.email, name=user.name, role=user.role, created_at=user.created_at)


def show_token(token: Token) -> TokenAnswer:
    """Return what is shown of a token."""
    return TokenAnswer(
        id=token.id,
        description=token.description,
        user_email=token.user.email,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        last_used_at=token.last_used_at,
    )
