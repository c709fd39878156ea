"""Approved policies: what workers run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, Line, Moment
from cape_airflow.coordinator.api.suggestions import SuggestionAnswer, show_suggestion
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import Approval
from cape_airflow.keys.encoding import to_base64url

router = APIRouter(prefix="/v1/projects/{label}", route_class=GuardedRoute, tags=["policies"])

IfNoneMatch = Annotated[str | None, Header()]


class PolicyAnswer(Answer):
    """A policy text as it was reviewed, with the signed approval of its digest.

    `signature` is Ed25519 over the RFC 8785 canonical JSON of `approval`, base64url.
    """

    project: str
    digest: str
    policy: str
    approval: dict[str, Any]
    signature: str


class VersionAnswer(Answer):
    """One approval of a policy, current or earlier; `break_glass`: without review, so far."""

    digest: str
    suggestion_id: str
    title: str
    approved_at: str
    expires_at: Moment | None
    break_glass: bool


class SuggestAgain(Body):
    """To propose a policy again that was approved before."""

    title: Line | None = None


@router.get("/policies")
def policies(label: str, paging: Paging, call: CallDep) -> Page[VersionAnswer]:
    """List all approvals of the project that count, the newest first."""

    def show(row: Approval) -> VersionAnswer:
        review.check_approval(call, row)
        return _show(row)

    return page(call.session, review.approvals(call), Approval, paging, show, newest_first=True)


@router.post("/policies/{digest}/suggest", status_code=201)
def suggest_again(label: str, digest: str, body: SuggestAgain, call: CallDep) -> SuggestionAnswer:
    """Propose a policy that was approved before: to go back to it, or to have it certified again."""
    return show_suggestion(call, review.suggest_again(call, digest, body.title))


@router.get("/policy", response_model=PolicyAnswer)
def current_policy(label: str, call: CallDep, if_none_match: IfNoneMatch = None) -> Response:
    """Return the project's policy: the one approved last."""
    return _answer(label, review.approved(call), if_none_match)


@router.get("/policies/{digest}", response_model=PolicyAnswer)
def policy_of_digest(label: str, digest: str, call: CallDep, if_none_match: IfNoneMatch = None) -> Response:
    """Return a policy by a digest that was approved in this project, now or before."""
    return _answer(label, review.approved(call, digest), if_none_match)


def _show(approval: Approval) -> VersionAnswer:
    return VersionAnswer(
        digest=approval.digest,
        suggestion_id=approval.suggestion.id,
        title=approval.suggestion.title,
        approved_at=approval.document["approved_at"],
        expires_at=review.expires_at(approval),
        break_glass=bool(approval.document.get("break_glass")),
    )


def _answer(label: str, approval: Approval, if_none_match: str | None) -> Response:
    # What is approved without review and then confirmed is approved twice: the second time with another end.
    kind = ".break-glass" if approval.document.get("break_glass") else ""
    tag = f'"{approval.digest}.{approval.suggestion.id}{kind}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if if_none_match and tag in {known.strip().removeprefix("W/") for known in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    answer = PolicyAnswer(
        project=label,
        digest=approval.digest,
        policy=approval.suggestion.policy,
        approval=approval.document,
        signature=to_base64url(approval.signature),
    )
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)
