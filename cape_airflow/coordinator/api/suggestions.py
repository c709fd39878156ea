"""Suggested policies and their review."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, Digest, Line, Moment, Prose, Said
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import Comment, Suggestion, SuggestionState

router = APIRouter(prefix="/v1/projects/{label}/suggestions", route_class=GuardedRoute, tags=["review"])


class NewSuggestion(Body):
    """A policy text, proposed."""

    title: Line
    description: Prose = ""
    policy: Annotated[str, StringConstraints(min_length=1)]


class Approve(Body):
    """Yes to the digest that the reviewer saw."""

    digest: Digest
    comment: Prose | None = None


class Reject(Body):
    """No to the digest that the reviewer saw, and why."""

    digest: Digest
    comment: Said


class NewComment(Body):
    """Something to say about a suggestion."""

    text: Said


class CommentAnswer(Answer):
    """What somebody said."""

    author: str
    text: str
    created_at: Moment


class SuggestionAnswer(Answer):
    """A suggestion with its review; people are named by email."""

    id: str
    project: str
    title: str
    description: str
    state: SuggestionState
    digest: str
    author: str
    created_at: Moment
    reviewed_by: str | None
    reviewed_at: Moment | None
    review_comment: str | None
    comments: list[CommentAnswer]
    policy: str


@router.post("", status_code=201)
def suggest(label: str, body: NewSuggestion, call: CallDep) -> SuggestionAnswer:
    """Propose a policy version."""
    return _show(label, review.suggest(call, body.title, body.description, body.policy))


@router.get("")
def suggestions(label: str, paging: Paging, call: CallDep) -> Page[SuggestionAnswer]:
    """List the project's suggestions, the newest first."""

    def show(row: Suggestion) -> SuggestionAnswer:
        call.seals.check(row)
        return _show(label, row)

    return page(call.session, review.suggestions(call), Suggestion, paging, show, newest_first=True)


@router.get("/{id}")
def suggestion(label: str, id: str, call: CallDep) -> SuggestionAnswer:
    """Return a suggestion."""
    return _show(label, review.find_suggestion(call, id))


@router.post("/{id}/approve")
def approve(label: str, id: str, body: Approve, call: CallDep) -> SuggestionAnswer:
    """Approve the digest that one saw."""
    return _show(label, review.approve(call, id, body.digest, body.comment))


@router.post("/{id}/reject")
def reject(label: str, id: str, body: Reject, call: CallDep) -> SuggestionAnswer:
    """Reject the digest that one saw, and say why."""
    return _show(label, review.reject(call, id, body.digest, body.comment))


@router.post("/{id}/comments", status_code=201)
def comment(label: str, id: str, body: NewComment, call: CallDep) -> SuggestionAnswer:
    """Say something about a suggestion."""
    return _show(label, review.add_comment(call, id, body.text))


def _show(label: str, row: Suggestion) -> SuggestionAnswer:
    return SuggestionAnswer(
        id=row.id,
        project=label,
        title=row.title,
        description=row.description,
        state=row.state,
        digest=row.digest,
        author=row.author.email,
        created_at=row.created_at,
        reviewed_by=row.reviewer.email if row.reviewer else None,
        reviewed_at=row.reviewed_at,
        review_comment=row.review_comment,
        comments=[_show_comment(comment) for comment in row.comments],
        policy=row.policy,
    )


def _show_comment(row: Comment) -> CommentAnswer:
    return CommentAnswer(author=row.author.email, text=row.text, created_at=row.created_at)
