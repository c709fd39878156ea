"""Pages: the suggestions of a project, and a new one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form as FromForm
from fastapi import Query, Request, Response

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.paging import Cursor, Page
from cape_airflow.coordinator.api.paging import page as page_of
from cape_airflow.coordinator.api.shapes import Answer, Digest, Line, Moment, Prose
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.form_fields import Form, PolicyText
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import Suggestion, SuggestionState

router = pages_router("/projects/{label}/suggestions")


_STATES = [("", "all"), *((state.value, state.value.replace("-", " ")) for state in SuggestionState)]


class SuggestionFilter(Cursor):
    """Which suggestions are looked for."""

    state: Annotated[SuggestionState | None, Blank] = None


class SuggestionLine(Answer):
    """A suggestion in the list."""

    id: str
    title: str
    state: SuggestionState
    author: str
    created_at: Moment
    comments: int


class NewSuggestion(Form):
    """A policy text, proposed; `base` is the approved digest that it was written against."""

    title: Line
    description: Prose = ""
    policy: PolicyText
    base: Digest | None = None


@router.get("")
def suggestions(request: Request, label: str, call: CallDep, which: Annotated[SuggestionFilter, Query()]) -> Response:
    """List the suggestions, the newest first."""

    def show(row: Suggestion) -> SuggestionLine:
        call.seals.check(row)
        return SuggestionLine(
            id=row.id,
            title=row.title,
            state=row.state,
            author=row.author.name,
            created_at=row.created_at,
            comments=len(row.comments),
        )

    query = review.suggestions(call)
    query = query.where(Suggestion.state == which.state) if which.state else query
    rows: Page[SuggestionLine] = page_of(call.session, query, Suggestion, which, show, newest_first=True)
    return page(request, call, "suggestions.html", project=call.project, suggestions=rows, which=which, states=_STATES)


@router.get("/new")
def new_suggestion(request: Request, label: str, call: CallDep) -> Response:
    """Show the form for a suggestion as text; it begins with the policy that is in force."""
    approval = review.approval_of(call)
    text, base = (approval.suggestion.policy, approval.digest) if approval else ("", None)
    return _form(request, call, {"title": "", "description": "", "policy": text, "base": base})


@router.post("")
def suggest(request: Request, label: str, call: CallDep, form: Annotated[NewSuggestion, FromForm()]) -> Response:
    """Propose a policy; what is wrong with its text is said beside it."""
    try:
        made = review.suggest(call, form.title, form.description, form.policy, form.base)
    except Problem as problem:
        if problem.status_code != 422:
            raise
        return _form(request, call, form.model_dump(), str(problem.detail).removeprefix("body.policy: "))
    return go_to(request, "suggestion", label=label, id=made.id)


def _form(request: Request, call: CallDep, filled: dict[str, object], wrong: str = "") -> Response:
    status = 422 if wrong else 200
    return page(request, call, "new_suggestion.html", status=status, project=call.project, filled=filled, wrong=wrong)
