"""Pages: the projects, and one of them."""

from __future__ import annotations

from fastapi import Request, Response

from cape_airflow.coordinator import projects as rules
from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.paging import Page, Paging
from cape_airflow.coordinator.api.paging import page as page_of
from cape_airflow.coordinator.api.shapes import Answer
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.reach import may
from cape_airflow.coordinator.store.models import Project, Suggestion, SuggestionState

router = pages_router("/projects")


class ProjectLine(Answer):
    """A project in the list."""

    label: str
    name: str
    description: str


@router.get("")
def projects(request: Request, call: CallDep, paging: Paging) -> Response:
    """Show the projects that one is a member of; admins and auditors see all."""

    def show(row: Project) -> ProjectLine:
        return ProjectLine(label=row.label, name=row.name, description=row.description)

    rows: Page[ProjectLine] = page_of(call.session, rules.projects(call), Project, paging, show)
    return page(request, call, "projects.html", projects=rows)


@router.get("/{label}")
def project(request: Request, label: str, call: CallDep) -> Response:
    """Show a project: its policy, and what waits for a decision; to an admin without a role in it only its name."""
    reads = may(call, "GET", "/projects/{label}/policy")
    approval = review.approval_of(call) if reads else None
    waiting = review.suggestions(call).where(Suggestion.state.in_(_WAITING)).order_by(Suggestion.seq.desc()).limit(5)
    return page(
        request,
        call,
        "project.html",
        project=call.project,
        approval=approval,
        expires_at=review.expires_at(approval) if approval else None,
        waiting=call.session.scalars(waiting).all() if reads else [],
    )


_WAITING = (SuggestionState.OPEN, SuggestionState.CHANGES_REQUESTED)
