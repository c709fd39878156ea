"""What there is to read: suggestions, what they said before, what people said about them, and what is approved."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.seals import tampered
from cape_airflow.coordinator.store.models import Approval, Review, Revision, Suggestion

_MOST = 200


def suggestions(call: Call) -> Select[Suggestion]:
    """Return the query of the project's suggestions."""
    return select(Suggestion).where(Suggestion.project_seq == call.project.seq)


def find_suggestion(call: Call, suggestion_id: str) -> Suggestion:
    """Return one suggestion of the project.

    Raises:
        Problem: 404 where there is none in this project; 403 ``tampered``.
    """
    suggestion = call.session.scalar(suggestions(call).where(Suggestion.id == suggestion_id))
    if suggestion is None:
        raise missing("suggestion")
    call.seals.check(suggestion)
    return suggestion


def revisions_of(call: Call, suggestion: Suggestion) -> Sequence[Revision]:
    """Return all that a suggestion has said, the newest last; empty for one from before there were revisions.

    Raises:
        Problem: 403 ``tampered``, also where one of them was taken away.
    """
    rows = suggestion.revisions
    call.seals.check(*rows)
    whole = [row.number for row in rows] == list(range(1, len(rows) + 1))
    if rows and not (whole and rows[-1].policy == suggestion.policy):
        raise tampered(suggestion)
    return rows


def find_revision(call: Call, suggestion: Suggestion, number: int) -> Revision:
    """Return what a suggestion said in one of its revisions.

    Raises:
        Problem: 404 where there is none of that number; 403 ``tampered``.
    """
    for row in revisions_of(call, suggestion):
        if row.number == number:
            return row
    raise missing("revision")


def reviews_of(call: Call, suggestion: Suggestion) -> Sequence[Review]:
    """Return all verdicts on a suggestion, the newest last.

    Raises:
        Problem: 403 ``tampered``.
    """
    call.seals.check(*suggestion.reviews)
    return suggestion.reviews


def approvals(call: Call) -> Select[Approval]:
    """Return the query of the project's approvals that count: of its current policy, and of those before it."""
    return select(Approval).where(Approval.project_seq == call.project.seq, Approval.revoked_at.is_(None))


def approval_of(call: Call, digest: str | None = None) -> Approval | None:
    """Return the newest approval of that digest, or of any; None where the project has none.

    Raises:
        Problem: 403 ``tampered``.
    """
    query = approvals(call).order_by(Approval.seq.desc()).limit(1)
    approval = call.session.scalar(query if digest is None else query.where(Approval.digest == digest))
    if approval is not None:
        check_approval(call, approval)
    return approval


def check_approval(call: Call, approval: Approval) -> None:
    """Refuse an approval that this coordinator has not signed, or that stands beside another text or project.

    Raises:
        Problem: 403 ``tampered``.
    """
    suggestion, document = approval.suggestion, approval.document
    call.seals.check(suggestion)
    signed = document.get("project"), document.get("suggestion_id"), document.get("digest"), document.get("digest")
    stands = call.project.label, suggestion.id, suggestion.digest, approval.digest
    if signed != stands or not call.coordinator.signer.made(document, approval.signature):
        raise tampered(approval)


def approved(call: Call, digest: str | None = None) -> Approval:
    """Return the newest approval of that digest, or of any.

    Raises:
        Problem: 404 ``no-approved-policy``; 403 ``tampered``.
    """
    approval = approval_of(call, digest)
    if approval is None:
        what = "this project has no approved policy yet"
        raise Problem(404, "no-approved-policy", what if digest is None else "no policy with this digest is approved")
    return approval


def digest_in_force(call: Call) -> str | None:
    """Return the digest that is approved now; None where none is."""
    approval = approval_of(call)
    return approval.digest if approval else None


def room(rows: Sequence[object], what: str) -> None:
    """Refuse one more where there are very many.

    Raises:
        Problem: 409 ``too-many-...``.
    """
    if len(rows) >= _MOST:
        raise Problem(409, f"too-many-{what}", f"a suggestion has {_MOST} {what} at most; make a new one")
