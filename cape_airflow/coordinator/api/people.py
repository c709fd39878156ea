"""Users, tokens, and who am I."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from cape_airflow.coordinator import accounts, invitations, people
from cape_airflow.coordinator.api.paging import Cursor, Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, Email, Line, Moment
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.invitations import base_of
from cape_airflow.coordinator.permissions import ProjectRole, Role, UserKind
from cape_airflow.coordinator.store.models import Contributor, Token, User

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["people"])

Days = Annotated[int, Field(ge=1, le=3650)]


class UserAnswer(Answer):
    """A user."""

    id: str
    email: str
    name: str
    role: Role
    kind: UserKind
    created_at: Moment
    deactivated_at: Moment | None


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
    kind: Annotated[UserKind, Field(strict=False)] = UserKind.PERSON


class RoleInDeployment(Body):
    """The role that a user is to have in the whole deployment."""

    role: Annotated[Role, Field(strict=False)]


class LinkAnswer(Answer):
    """A link that lets its holder set the user's password, once; shown to whoever asked for it, this once."""

    url: str
    expires_at: Moment
    mailed: bool


class NewWorker(Body):
    """The service account that is wanted."""

    email: Email
    name: Line


class WorkerToken(Body):
    """The token that is wanted for a service account of the project."""

    description: Line
    expires_in_days: Days = 90


class NewToken(Body):
    """The token that is wanted: for oneself, or as an admin for somebody else."""

    description: Line
    user_email: Email | None = None
    expires_in_days: Days = 90


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
    return show_user(people.create_user(call, body.email, body.name, body.role, body.kind))


@router.get("/users")
def users(paging: Paging, call: CallDep) -> Page[UserAnswer]:
    """List the users."""
    return page(call.session, select(User), User, paging, show_user)


@router.get("/users/{email}")
def user(email: Email, call: CallDep) -> UserAnswer:
    """Return a user."""
    return show_user(accounts.get_user(call, email))


@router.put("/users/{email}/role")
def set_role(email: Email, body: RoleInDeployment, call: CallDep) -> UserAnswer:
    """Give a user another role in the whole deployment."""
    return show_user(accounts.set_role(call, email, body.role))


@router.post("/users/{email}/deactivate")
def deactivate(email: Email, call: CallDep) -> UserAnswer:
    """End a user's access at once."""
    return show_user(accounts.deactivate(call, email))


@router.post("/users/{email}/activate")
def activate(email: Email, call: CallDep) -> UserAnswer:
    """Let a user in again."""
    return show_user(accounts.activate(call, email))


@router.post("/users/{email}/link", status_code=201)
def create_link(email: Email, call: CallDep, request: Request, later: BackgroundTasks) -> LinkAnswer:
    """Make a link with which a user sets his password: an invitation, or a way back in."""
    sent = invitations.invite(call, email, base_of(request, call.coordinator.settings), later)
    return LinkAnswer(url=sent.url, expires_at=sent.expires_at, mailed=sent.mailed)


@router.post("/projects/{label}/workers", status_code=201)
def create_worker(label: str, body: NewWorker, call: CallDep) -> UserAnswer:
    """Make a service account that is a worker of the project."""
    return show_user(accounts.create_worker(call, body.email, body.name).user)


@router.post("/projects/{label}/workers/{email}/tokens", status_code=201)
def create_worker_token(label: str, email: Email, body: WorkerToken, call: CallDep) -> MadeToken:
    """Make an API token for a service account of the project, and show it this once."""
    row, token = accounts.create_worker_token(call, email, body.description, body.expires_in_days)
    return MadeToken(**dict(show_token(row)), token=token.write())


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
    return UserAnswer.model_validate(user, from_attributes=True)


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
