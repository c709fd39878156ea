"""Page: who belongs to a project, and as what."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request, Response

from cape_airflow.coordinator import projects as rules
from cape_airflow.coordinator.api import projects as api
from cape_airflow.coordinator.api.paging import Paging
from cape_airflow.coordinator.api.shapes import Email
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.permissions import ProjectRole
from cape_airflow.coordinator.reach import may

router = pages_router("/projects/{label}/people")


@router.get("")
def contributors(request: Request, label: str, call: CallDep, paging: Paging) -> Response:
    """Show everybody in the project; owners change roles here."""
    return page(
        request,
        call,
        "contributors.html",
        people=api.contributors(label, paging, call),
        roles=list(ProjectRole),
        governs=may(call, "POST", "/projects/{label}/people"),
    )


@router.post("")
def set_contributor(
    request: Request, label: str, call: CallDep, email: Annotated[Email, Form()], role: Annotated[ProjectRole, Form()]
) -> Response:
    """Give a user a role, and show the list."""
    rules.set_contributor(call, email, role)
    return go_to(request, "contributors", label=label)


@router.post("/{email}/reveal")
def set_reveal(
    request: Request, label: str, email: Email, call: CallDep, may_reveal: Annotated[bool, Form()] = False
) -> Response:
    """Let a worker turn tokens back, or no longer, and show the list."""
    rules.set_reveal(call, email, may_reveal)
    return go_to(request, "contributors", label=label)


@router.post("/{email}/remove")
def remove_contributor(request: Request, label: str, email: Email, call: CallDep) -> Response:
    """Take a user out of the project, and show the list."""
    rules.remove_contributor(call, email)
    return go_to(request, "contributors", label=label)
