"""Suggested policies, as their authors make and change them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, Digest, Line, Moment, Prose, Said
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import Comment, Review, Revision, Suggestion, SuggestionState, Verdict
from cape_airflow.jobs import DryRun

router = APIRouter(prefix="/v1/projects/{label}/suggestions", route_class=GuardedRoute, tags=["review"])

PolicyText = Annotated[str, StringConstraints(min_length=1)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]


class NewSuggestion(Body):
    """A policy text, proposed; `base` is the approved digest that it was written against, by default the current."""

    title: Line
    description: Prose = ""
    policy: PolicyText
    base: Digest | None = None


class Edit(Body):
    """What changes; `revision` is the one that the editor began from."""

    revision: Number
    title: Line | None = None
    description: Prose | None = None
    policy: PolicyText | None = None


class Rebase(Body):
    """That the text, or this new one, is meant to replace what is in force now."""

    revision: Number
    policy: PolicyText | None = None


class NewComment(Body):
    """Something to say about a suggestion, or about a line of its policy."""

    text: Said
    line: Number | None = None


class CommentAnswer(Answer):
    """What somebody said, and where: on a line of a revision, or on the whole."""

    author: str
    text: str
    created_at: Moment
    line: int | None
    revision: int | None


class VerdictAnswer(Answer):
    """What a reviewer said of a revision, and as what."""

    reviewer: str
    role: str
    verdict: Verdict
    revision: int
    digest: str
    comment: str | None
    created_at: Moment
    via: str | None


class SuggestionAnswer(Answer):
    """A suggestion with its review; people are named by email."""

    id: str
    project: str
    title: str
    description: str
    state: SuggestionState
    digest: str
    base: str | None
    revision: int
    author: str
    editors: list[str]
    created_at: Moment
    reviewed_by: str | None
    reviewed_at: Moment | None
    review_comment: str | None
    reviews: list[VerdictAnswer]
    comments: list[CommentAnswer]
    policy: str


class RevisionAnswer(Answer):
    """What a suggestion said from one edit to the next."""

    number: int
    editor: str
    title: str
    description: str
    digest: str
    base: str | None
    created_at: Moment
    policy: str


class Revisions(Answer):
    """All revisions of a suggestion, the newest last."""

    items: list[RevisionAnswer]


@router.post("", status_code=201)
def suggest(label: str, body: NewSuggestion, call: CallDep) -> SuggestionAnswer:
    """Propose a policy version."""
    return show_suggestion(call, review.suggest(call, body.title, body.description, body.policy, body.base))


@router.get("")
def suggestions(label: str, paging: Paging, call: CallDep) -> Page[SuggestionAnswer]:
    """List the project's suggestions, the newest first."""

    def show(row: Suggestion) -> SuggestionAnswer:
        call.seals.check(row)
        return show_suggestion(call, row)

    return page(call.session, review.suggestions(call), Suggestion, paging, show, newest_first=True)


@router.get("/{id}")
def suggestion(label: str, id: str, call: CallDep) -> SuggestionAnswer:
    """Return a suggestion."""
    return show_suggestion(call, review.find_suggestion(call, id))


@router.patch("/{id}")
def edit(label: str, id: str, body: Edit, call: CallDep) -> SuggestionAnswer:
    """Make a new revision; approvals of the one before are cleared."""
    changed = review.edit(call, id, body.revision, title=body.title, description=body.description, policy=body.policy)
    return show_suggestion(call, changed)


@router.get("/{id}/revisions")
def revisions(label: str, id: str, call: CallDep) -> Revisions:
    """Return all that a suggestion has said."""
    rows = review.revisions_of(call, review.find_suggestion(call, id))
    return Revisions(items=[_show_revision(row) for row in rows])


@router.post("/{id}/rebase")
def rebase(label: str, id: str, body: Rebase, call: CallDep) -> SuggestionAnswer:
    """Say that it is meant to replace the policy that is in force now."""
    return show_suggestion(call, review.rebase(call, id, body.revision, body.policy))


@router.post("/{id}/withdraw")
def withdraw(label: str, id: str, call: CallDep) -> SuggestionAnswer:
    """Take a suggestion back: one's own, or as an owner."""
    return show_suggestion(call, review.withdraw(call, id))


@router.post("/{id}/comments", status_code=201)
def comment(label: str, id: str, body: NewComment, call: CallDep) -> SuggestionAnswer:
    """Say something about a suggestion."""
    return show_suggestion(call, review.add_comment(call, id, body.text, body.line))


@router.post("/{id}/dry-runs", status_code=201)
def attach_dry_run(label: str, id: str, body: DryRun, call: CallDep) -> DryRun:
    """Attach what the policy did to a sample: counts and shapes."""
    return DryRun.model_validate(review.attach_dry_run(call, id, body).document)


def show_suggestion(call: Call, row: Suggestion) -> SuggestionAnswer:
    """Return a suggestion as the API shows it.

    Raises:
        Problem: 403 ``tampered``.
    """
    history = review.revisions_of(call, row)
    return SuggestionAnswer(
        id=row.id,
        project=call.project.label,
        title=row.title,
        description=row.description,
        state=row.state,
        digest=row.digest,
        base=history[-1].base_digest if history else None,
        revision=max(len(history), 1),
        author=row.author.email,
        editors=sorted({each.editor.email for each in history}),
        created_at=row.created_at,
        reviewed_by=row.reviewer.email if row.reviewer else None,
        reviewed_at=row.reviewed_at,
        review_comment=row.review_comment,
        reviews=[show_verdict(each) for each in review.reviews_of(call, row)],
        comments=[_show_comment(each) for each in row.comments],
        policy=row.policy,
    )


def show_verdict(row: Review) -> VerdictAnswer:
    """Return a verdict as the API shows it."""
    return VerdictAnswer(
        reviewer=row.reviewer.email,
        role=row.role,
        verdict=row.verdict,
        revision=row.revision,
        digest=row.digest,
        comment=row.comment,
        created_at=row.created_at,
        via=row.via,
    )


def _show_comment(row: Comment) -> CommentAnswer:
    return CommentAnswer(
        author=row.author.email, text=row.text, created_at=row.created_at, line=row.line, revision=row.revision
    )


def _show_revision(row: Revision) -> RevisionAnswer:
    return RevisionAnswer(
        number=row.number,
        editor=row.editor.email,
        title=row.title,
        description=row.description,
        digest=row.digest,
        base=row.base_digest,
        created_at=row.created_at,
        policy=row.policy,
    )
