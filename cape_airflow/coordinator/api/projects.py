"""Projects and their people."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from cape_airflow.coordinator import projects
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, Email, Label, Line, Prose
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.permissions import ProjectRole
from cape_airflow.coordinator.store.models import Approval, Contributor, Project

router = APIRouter(prefix="/v1/projects", route_class=GuardedRoute, tags=["projects"])


class NewProject(Body):
    """The project that is wanted; its label is made from the name where it is not given."""

    name: Line
    label: Label | None = None
    description: Prose = ""


class ProjectChange(Body):
    """What is to be changed; the rest stays."""

    name: Line | None = None
    description: Prose | None = None


class ProjectAnswer(Answer):
    """A project; pending until it has an approved policy."""

    label: str
    name: str
    description: str
    status: Literal["pending", "active"]
    policy_digest: str | None


class RoleChange(Body):
    """The role that a user is to have in the project."""

    role: Annotated[ProjectRole, Field(strict=False)]


class RevealGrant(Body):
    """Whether a worker may turn tokens back."""

    may_reveal: bool


class ContributorAnswer(Answer):
    """Somebody in the project; only workers may ever reveal."""

    email: str
    name: str
    role: ProjectRole
    may_reveal: bool


@router.post("", status_code=201)
def create_project(body: NewProject, call: CallDep) -> ProjectAnswer:
    """Make a project, and become its owner."""
    return _show(call.session, projects.create_project(call, body.name, body.label, body.description))


@router.get("")
def list_projects(paging: Paging, call: CallDep) -> Page[ProjectAnswer]:
    """List the projects that one is a member of; as an admin all."""
    return page(call.session, projects.projects(call), Project, paging, lambda row: _show(call.session, row))


@router.get("/{label}")
def get_project(label: str, call: CallDep) -> ProjectAnswer:
    """Return a project."""
    return _show(call.session, call.project)


@router.patch("/{label}")
def update_project(label: str, body: ProjectChange, call: CallDep) -> ProjectAnswer:
    """Change the name or the description."""
    return _show(call.session, projects.update_project(call, body.name, body.description))


@router.get("/{label}/contributors")
def contributors(label: str, paging: Paging, call: CallDep) -> Page[ContributorAnswer]:
    """List everybody in the project."""
    return page(call.session, projects.contributors(call), Contributor, paging, _show_contributor)


@router.put("/{label}/contributors/{email}")
def set_contributor(label: str, email: Email, body: RoleChange, call: CallDep) -> ContributorAnswer:
    """Give a user a role in the project."""
    return _show_contributor(projects.set_contributor(call, email, body.role))


@router.put("/{label}/contributors/{email}/reveal")
def set_reveal(label: str, email: Email, body: RevealGrant, call: CallDep) -> ContributorAnswer:
    """Let a worker reveal, or no longer."""
    return _show_contributor(projects.set_reveal(call, email, body.may_reveal))


@router.delete("/{label}/contributors/{email}", status_code=204)
def remove_contributor(label: str, email: Email, call: CallDep) -> Response:
    """Take a user out of the project."""
    projects.remove_contributor(call, email)
    return Response(status_code=204)


def _show(session: Session, project: Project) -> ProjectAnswer:
    digest = session.scalar(
        select(Approval.digest).where(Approval.project_seq == project.seq).order_by(Approval.seq.desc()).limit(1)
    )
    return ProjectAnswer(
        label=project.label,
        name=project.name,
        description=project.description,
        status="active" if digest else "pending",
        policy_digest=digest,
    )


def _show_contributor(contributor: Contributor) -> ContributorAnswer:
    user = contributor.user
    return ContributorAnswer(email=user.email, name=user.name, role=contributor.role, may_reveal=contributor.may_reveal)
