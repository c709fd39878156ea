"""Pages: one suggestion, and what reviewers and its author do with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form as FromForm
from fastapi import Query, Request, Response
from pydantic import Field

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.shapes import Digest, Line, Prose, Said
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages import review_view
from cape_airflow.coordinator.pages.form_fields import Form, PolicyText
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.pages.wording import titles
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.report import report
from cape_airflow.coordinator.review.writing import checked_digest
from cape_airflow.coordinator.store.models import Suggestion
from cape_airflow.jobs import DryRun

router = pages_router("/projects/{label}/suggestions/{id}")

LineNumber = Annotated[int, Field(ge=1, le=1_000_000)]
Revision = Annotated[int, Field(ge=1, le=1_000_000)]


class Yes(Form):
    """A verdict on the digest and revision that the reviewer saw."""

    digest: Digest
    revision: Revision
    comment: Prose = ""


class Verdict(Form):
    """A verdict that says why."""

    digest: Digest
    revision: Revision
    comment: Said


class AfterReview(Verdict):
    """Whether it was right to break the glass."""

    verdict: Annotated[str, Field(pattern="^(confirm|object)$")]


class NewComment(Form):
    """Something to say about a suggestion, or about a line of its text."""

    text: Said
    line: LineNumber | None = None


class Edit(Form):
    """A new revision."""

    revision: Revision
    title: Line
    description: Prose = ""
    policy: PolicyText


class Rebase(Form):
    """The revision that is meant to replace the policy that is in force now."""

    revision: Revision


@router.get("")
def suggestion(
    request: Request, label: str, id: str, call: CallDep, line: Annotated[LineNumber | None, Query()] = None
) -> Response:
    """Show a suggestion; `line` is the one that the reader wants to say something about."""
    seen = report(call, id)
    return page(
        request,
        call,
        "suggestion.html",
        project=call.project,
        report=seen,
        suggestion=seen.suggestion,
        options=review_view.options(call, seen),
        effects=review_view.changes_first(seen.comparison.effects),
        text=review_view.text_change(seen, line),
        dry_run=DryRun.model_validate(seen.dry_run.document) if seen.dry_run else None,
        titles=titles,
        line=line,
    )


@router.get("/edit")
def edit_suggestion(request: Request, label: str, id: str, call: CallDep) -> Response:
    """Show the form for a new revision."""
    found = review.find_suggestion(call, id)
    filled = {"title": found.title, "description": found.description, "policy": found.policy}
    return _edit_form(request, call, found, filled | {"revision": len(review.revisions_of(call, found)) or 1})


@router.post("/edit")
def edit(request: Request, label: str, id: str, call: CallDep, form: Annotated[Edit, FromForm()]) -> Response:
    """Make a new revision; what is wrong with its text is said beside it."""
    try:
        checked_digest(form.policy)
    except Problem as problem:
        wrong = str(problem.detail).removeprefix("body.policy: ")
        return _edit_form(request, call, review.find_suggestion(call, id), form.model_dump(), wrong)
    review.edit(call, id, **form.model_dump())
    return _back(request, label, id)


@router.post("/approve")
def approve(request: Request, label: str, id: str, call: CallDep, form: Annotated[Yes, FromForm()]) -> Response:
    """Approve the digest that one saw."""
    review.approve(call, id, form.digest, form.comment or None, form.revision)
    return _back(request, label, id)


@router.post("/request-changes")
def request_changes(
    request: Request, label: str, id: str, call: CallDep, form: Annotated[Verdict, FromForm()]
) -> Response:
    """Ask for changes, and say which."""
    review.request_changes(call, id, form.digest, form.comment, form.revision)
    return _back(request, label, id)


@router.post("/reject")
def reject(request: Request, label: str, id: str, call: CallDep, form: Annotated[Verdict, FromForm()]) -> Response:
    """Reject it, and say why."""
    review.reject(call, id, form.digest, form.comment, form.revision)
    return _back(request, label, id)


@router.post("/break-glass")
def break_glass(request: Request, label: str, id: str, call: CallDep, form: Annotated[Verdict, FromForm()]) -> Response:
    """Put it in force without review, and say why."""
    review.break_glass(call, id, form.digest, form.comment, form.revision)
    return _back(request, label, id)


@router.post("/after-review")
def after_review(
    request: Request, label: str, id: str, call: CallDep, form: Annotated[AfterReview, FromForm()]
) -> Response:
    """Say whether it was right to break the glass."""
    judge = review.confirm if form.verdict == "confirm" else review.object_to
    judge(call, id, form.digest, form.comment, form.revision)
    return _back(request, label, id)


@router.post("/comments")
def comment(request: Request, label: str, id: str, call: CallDep, form: Annotated[NewComment, FromForm()]) -> Response:
    """Say something."""
    review.add_comment(call, id, form.text, form.line)
    return _back(request, label, id)


@router.post("/withdraw")
def withdraw(request: Request, label: str, id: str, call: CallDep) -> Response:
    """Take one's own suggestion back."""
    review.withdraw(call, id)
    return _back(request, label, id)


@router.post("/rebase")
def rebase(request: Request, label: str, id: str, call: CallDep, form: Annotated[Rebase, FromForm()]) -> Response:
    """Say that it is meant to replace the policy that is in force now."""
    review.rebase(call, id, form.revision)
    return _back(request, label, id)


def _edit_form(
    request: Request, call: Call, suggestion: Suggestion, filled: dict[str, object], wrong: str = ""
) -> Response:
    return page(
        request,
        call,
        "edit_suggestion.html",
        status=422 if wrong else 200,
        project=call.project,
        suggestion=suggestion,
        filled=filled,
        wrong=wrong,
    )


def _back(request: Request, label: str, id: str) -> Response:
    return go_to(request, "suggestion", label=label, id=id)
