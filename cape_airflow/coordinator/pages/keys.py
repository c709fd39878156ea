"""Pages: the keys of a project, which nobody ever sees."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Request, Response

from cape_airflow.coordinator import project_keys
from cape_airflow.coordinator.api import keys as api
from cape_airflow.coordinator.api.paging import Paging
from cape_airflow.coordinator.api.shapes import KeyName
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.reach import may

router = pages_router("/projects/{label}/keys")


@router.get("")
def keys(request: Request, label: str, call: CallDep, paging: Paging) -> Response:
    """Show the project's keys with their versions; owners make, rotate, retire and destroy them here."""
    return page(
        request,
        call,
        "keys.html",
        keys=api.keys(label, paging, call),
        governs=may(call, "POST", "/projects/{label}/keys"),
    )


@router.post("")
def create_key(
    request: Request,
    label: str,
    *,
    call: CallDep,
    name: Annotated[KeyName, Form()],
    length: Annotated[Literal["32", "64"], Form()] = "32",
    rotate_after_days: Annotated[api.Period | None, Form()] = None,
) -> Response:
    """Make a key, and show the list."""
    project_keys.create_key(call, name, int(length), rotate_after_days)
    return go_to(request, "keys", label=label)


@router.post("/{name}/rotate")
def rotate_key(request: Request, label: str, name: str, call: CallDep) -> Response:
    """Make a new primary version, and show the list."""
    project_keys.rotate_key(call, name)
    return go_to(request, "keys", label=label)


@router.post("/{name}/period")
def set_rotation(
    request: Request,
    label: str,
    name: str,
    call: CallDep,
    rotate_after_days: Annotated[api.Period | None, Form()] = None,
) -> Response:
    """Say how old the primary version is to grow, and show the list."""
    project_keys.set_rotation(call, name, rotate_after_days)
    return go_to(request, "keys", label=label)


@router.post("/{name}/versions/{version}/retire")
def retire_version(request: Request, label: str, name: str, version: int, call: CallDep) -> Response:
    """Let a version make nothing new, and show the list."""
    project_keys.retire_version(call, name, version)
    return go_to(request, "keys", label=label)


@router.post("/{name}/versions/{version}/destroy")
def destroy_version(
    request: Request, label: str, name: str, version: int, *, call: CallDep, confirm: Annotated[str, Form()] = ""
) -> Response:
    """Erase a retired version for ever, and show the list with its receipt."""
    project_keys.destroy_version(call, name, version, confirm)
    return go_to(request, "keys", label=label)
