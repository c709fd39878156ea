"""Approved policies: what workers run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.shapes import Answer
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.problems import Problem
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


@router.get("/policy", response_model=PolicyAnswer)
def current_policy(label: str, call: CallDep, if_none_match: IfNoneMatch = None) -> Response:
    """Return the project's policy: the one approved last."""
    approval = review.approval_of(call)
    if approval is None:
        raise Problem(404, "no-approved-policy", "this project has no approved policy yet")
    return _answer(label, approval, if_none_match)


@router.get("/policies/{digest}", response_model=PolicyAnswer)
def policy_of_digest(label: str, digest: str, call: CallDep, if_none_match: IfNoneMatch = None) -> Response:
    """Return a policy by a digest that was approved in this project, now or before."""
    approval = review.approval_of(call, digest)
    if approval is None:
        raise Problem(404, "no-approved-policy", "no policy with this digest is approved in this project")
    return _answer(label, approval, if_none_match)


def _answer(label: str, approval: Approval, if_none_match: str | None) -> Response:
    tag = f'"{approval.digest}.{approval.suggestion.id}"'
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
