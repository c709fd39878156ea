"""Pages: the users of the whole deployment, their roles, and invitations."""

from __future__ import annotations

from typing import Annotated

from fastapi import BackgroundTasks, Form, Request, Response

from cape_airflow.coordinator import accounts
from cape_airflow.coordinator import people as rules
from cape_airflow.coordinator.api import people as api
from cape_airflow.coordinator.api.paging import Cursor, Paging
from cape_airflow.coordinator.api.shapes import Email, Line
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.permissions import Role, UserKind
from cape_airflow.coordinator.reach import may

router = pages_router("/people")


@router.get("")
def people(request: Request, call: CallDep, paging: Paging) -> Response:
    """Show all users; admins make them and change what they are."""
    return _shown(request, call, paging)


@router.post("")
def create_user(
    request: Request,
    call: CallDep,
    email: Annotated[Email, Form()],
    name: Annotated[Line, Form()],
    role: Annotated[Role, Form()] = Role.USER,
    *,
    kind: Annotated[UserKind, Form()] = UserKind.PERSON,
) -> Response:
    """Make a user, and show the list."""
    rules.create_user(call, email, name, role, kind)
    return go_to(request, "people")


@router.post("/{email}/role")
def set_role(request: Request, email: Email, call: CallDep, role: Annotated[Role, Form()]) -> Response:
    """Give a user another role, and show the list."""
    accounts.set_role(call, email, role)
    return go_to(request, "people")


@router.post("/{email}/deactivate")
def deactivate(request: Request, email: Email, call: CallDep) -> Response:
    """End a user's access at once, and show the list."""
    accounts.deactivate(call, email)
    return go_to(request, "people")


@router.post("/{email}/activate")
def activate(request: Request, email: Email, call: CallDep) -> Response:
    """Let a user in again, and show the list."""
    accounts.activate(call, email)
    return go_to(request, "people")


@router.post("/{email}/link")
def invite(request: Request, email: Email, call: CallDep, later: BackgroundTasks) -> Response:
    """Make a one-time link for a user's password, and show it this once."""
    return _shown(request, call, Cursor(), api.create_link(email, call, request, later), email)


def _shown(
    request: Request, call: Call, paging: Cursor, made: api.LinkAnswer | None = None, made_for: str | None = None
) -> Response:
    return page(
        request,
        call,
        "people.html",
        people=api.users(paging, call),
        governs=may(call, "POST", "/people"),
        roles=list(Role),
        kinds=list(UserKind),
        made=made,
        made_for=made_for,
    )
