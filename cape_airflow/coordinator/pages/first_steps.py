"""Pages: the first steps, from nothing to the first approved policy, with sample data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import BackgroundTasks, Request, Response
from fastapi import Form as FromForm
from sqlalchemy import select

from cape_airflow.coordinator import people, project_keys, projects, review
from cape_airflow.coordinator.access import forbidden
from cape_airflow.coordinator.api.shapes import Email, Label, Line
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.invitations import base_of, invite
from cape_airflow.coordinator.pages import sample
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.form_fields import Form
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.permissions import ProjectRole, Role
from cape_airflow.coordinator.store.models import Contributor, ProjectKey, Suggestion

router = pages_router()


class NewProject(Form):
    """The project that is wanted; its label is made from the name where it is not given."""

    name: Line
    label: Annotated[Label | None, Blank] = None


class NewPerson(Form):
    """The second person, who approves."""

    name: Line
    email: Email


@dataclass(frozen=True)
class Progress:
    """How far a project is on the way to its first approved policy.

    Args:
        key: the sample's key is there.
        others: who else may approve.
        suggestion: the newest one; None where nothing was suggested yet.
        approved: a policy is in force.
    """

    key: bool
    others: list[Contributor]
    suggestion: Suggestion | None
    approved: bool

    @property
    def step(self) -> int:
        """The number of the step that comes next, from 2; 6 where all is done but to run it."""
        done = (self.key, bool(self.others), self.suggestion is not None, self.approved)
        return 2 + next((number for number, reached in enumerate(done) if not reached), len(done))


@router.get("/first-steps")
def first_steps(request: Request, call: CallDep) -> Response:
    """Show the first step: a project."""
    return page(request, call, "first_project.html", rows=sample.ROWS)


@router.post("/first-steps")
def first_project(request: Request, call: CallDep, form: Annotated[NewProject, FromForm()]) -> Response:
    """Make the project, and go on."""
    made = projects.create_project(call, form.name, form.label, "")
    return go_to(request, "project_steps", label=made.label)


@router.get("/projects/{label}/first-steps")
def project_steps(request: Request, label: str, call: CallDep) -> Response:
    """Show how far the project is, and what comes next."""
    return _steps(request, call)


@router.post("/projects/{label}/first-steps/key")
def first_key(request: Request, label: str, call: CallDep) -> Response:
    """Make the key that the sample's policy names."""
    project_keys.create_key(call, sample.KEY, 32)
    return go_to(request, "project_steps", label=label)


@router.post("/projects/{label}/first-steps/person")
def second_person(
    request: Request, label: str, call: CallDep, form: Annotated[NewPerson, FromForm()], later: BackgroundTasks
) -> Response:
    """Make somebody else an owner, and show the invitation this once where he has no account yet."""
    invited = people.find_user(call.session, form.email) is None
    if invited:
        if not call.by_admin:
            raise forbidden("an admin, who makes accounts; somebody who has one can be added by every owner")
        people.create_user(call, form.email, form.name, Role.USER)
        call.session.flush()
    projects.set_contributor(call, form.email, ProjectRole.OWNER)
    call.session.flush()
    base = base_of(request, call.coordinator.settings)
    return _steps(request, call, invite(call, form.email, base, later).url if invited else "")


@router.get("/projects/{label}/first-steps/customers.csv")
def sample_data(label: str, call: CallDep) -> Response:
    """Return the sample data: people who do not exist."""
    headers = {"Content-Disposition": 'attachment; filename="customers.csv"'}
    return Response(sample.as_csv(), media_type="text/csv; charset=utf-8", headers=headers)


def _steps(request: Request, call: Call, link: str = "") -> Response:
    return page(
        request,
        call,
        "first_steps.html",
        project=call.project,
        progress=_progress(call),
        link_of_person=link,
        rows=sample.ROWS,
        key=sample.KEY,
    )


def _progress(call: Call) -> Progress:
    owners = projects.contributors(call).where(Contributor.role == ProjectRole.OWNER)
    newest = review.suggestions(call).order_by(Suggestion.seq.desc()).limit(1)
    of_project = ProjectKey.project_seq == call.project.seq
    key = call.session.scalar(select(ProjectKey.seq).where(of_project, ProjectKey.name == sample.KEY))
    suggestion = call.session.scalar(newest)
    return Progress(
        key=key is not None,
        others=[row for row in call.session.scalars(owners) if row.user_seq != call.user.seq],
        suggestion=suggestion,
        approved=review.approval_of(call) is not None,
    )
