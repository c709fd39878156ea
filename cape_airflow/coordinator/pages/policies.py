"""Pages: the policy of a project, the ones before it, and what changed between two."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.paging import Page, Paging
from cape_airflow.coordinator.api.paging import page as page_of
from cape_airflow.coordinator.api.shapes import Answer, Digest, Moment
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages import policy_view
from cape_airflow.coordinator.pages.difference import folded
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.review_view import changes_first
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.pages.wording import titles
from cape_airflow.coordinator.review import report
from cape_airflow.coordinator.store.models import Approval
from cape_airflow.policy import lint, load_policy

router = pages_router("/projects/{label}")


class Version(Answer):
    """An approved policy in the list of versions."""

    digest: str
    title: str
    suggestion: str
    author: str
    approved_at: Moment | None
    approved_by: str
    break_glass: bool
    in_force: bool


@router.get("/policy")
def policy(request: Request, label: str, call: CallDep) -> Response:
    """Show the policy that is in force; or say that there is none, and what to do about it."""
    approval = review.approval_of(call)
    if approval is None:
        return page(request, call, "no_policy.html", project=call.project)
    return _policy(request, call, approval, in_force=True)


@router.get("/policies")
def policies(request: Request, label: str, call: CallDep, paging: Paging) -> Response:
    """List all policies that were ever approved, the newest first."""
    newest = review.approval_of(call)

    def show(row: Approval) -> Version:
        review.check_approval(call, row)
        return Version(
            digest=row.digest,
            title=row.suggestion.title,
            suggestion=row.suggestion.id,
            author=row.suggestion.author.name,
            approved_at=row.suggestion.reviewed_at,
            approved_by=row.suggestion.reviewer.name if row.suggestion.reviewer else "",
            break_glass=bool(row.document.get("break_glass")),
            in_force=newest is not None and row.seq == newest.seq,
        )

    rows: Page[Version] = page_of(call.session, review.approvals(call), Approval, paging, show, newest_first=True)
    return page(request, call, "policies.html", project=call.project, versions=rows)


@router.get("/policies/compare")
def compare(
    request: Request, label: str, call: CallDep, before: Annotated[Digest, Query()], after: Annotated[Digest, Query()]
) -> Response:
    """Show what changed from one approved policy to another, for the data and in the text."""
    old, new = (review.approved(call, digest) for digest in (before, after))
    compared = report.compare(old.suggestion.policy, new.suggestion.policy)
    return page(
        request,
        call,
        "compare.html",
        project=call.project,
        old=old,
        new=new,
        effects=changes_first(compared.effects),
        lines=folded(compared.lines),
        titles=titles,
    )


@router.get("/policies/{digest}")
def policy_version(request: Request, label: str, digest: str, call: CallDep) -> Response:
    """Show a policy that is or was approved."""
    newest = review.approval_of(call)
    return _policy(request, call, review.approved(call, digest), in_force=bool(newest and newest.digest == digest))


@router.post("/policies/{digest}/suggest")
def suggest_again(request: Request, label: str, digest: str, call: CallDep) -> Response:
    """Suggest a policy again that was approved before."""
    return go_to(request, "suggestion", label=label, id=review.suggest_again(call, digest, None).id)


def _policy(request: Request, call: Call, approval: Approval, *, in_force: bool) -> Response:
    text = approval.suggestion.policy
    policy = load_policy(text)
    return page(
        request,
        call,
        "policy.html",
        project=call.project,
        approval=approval,
        in_force=in_force,
        expires_at=review.expires_at(approval),
        treatments=list(policy_view.treatments(policy)),
        footing=policy_view.footing(policy),
        findings=lint(policy),
        lines=policy_view.lines(text),
    )
