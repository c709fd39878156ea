"""Putting a policy in force: the approval is signed, and what it replaces is superseded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.review.history import approval_of, approvals, suggestions
from cape_airflow.coordinator.review.quorum import rule_of
from cape_airflow.coordinator.review.states import TRANSITIONS, Act
from cape_airflow.coordinator.store.models import Approval, Suggestion, SuggestionState

EMERGENCY = timedelta(hours=72)
"""How long a policy counts that was put in force without review; workers read it in the signed approval."""


def put_in_force(call: Call, suggestion: Suggestion, *, break_glass: bool = False) -> None:
    """Make a suggestion the project's policy."""
    replaced = suggestions(call).with_only_columns(Suggestion.seq).where(Suggestion.seq != suggestion.seq)
    _move(call, Act.SUPERSEDE, Suggestion.seq.in_(replaced))
    _sign(call, suggestion, break_glass=break_glass)


def renew(call: Call, suggestion: Suggestion) -> None:
    """Sign the approval of a policy that was put in force without review, and was found right."""
    _sign(call, suggestion, break_glass=False)


def revoke(call: Call, suggestion: Suggestion, *, was_in_force: bool) -> None:
    """Take a policy out of force; where it was the project's, the one approved before counts again."""
    for approval in call.session.scalars(approvals(call).where(Approval.suggestion_seq == suggestion.seq)):
        approval.revoked_at = call.now
    call.session.flush()
    before = approval_of(call)
    if before is not None and was_in_force:
        _move(call, Act.REINSTATE, Suggestion.seq == before.suggestion_seq)


def expires_at(approval: Approval) -> datetime | None:
    """Return until when an approval counts; None where it has no end."""
    moment = approval.document.get("expires_at")
    return None if moment is None else datetime.fromisoformat(moment)


def _sign(call: Call, suggestion: Suggestion, *, break_glass: bool) -> None:
    signer = call.coordinator.signer
    document: dict[str, Any] = {
        "project": call.project.label,
        "digest": suggestion.digest,
        "suggestion_id": suggestion.id,
        "approved_at": rfc3339(call.now),
        "key_id": signer.key_id,
    }
    days = rule_of(call.seals, call.session, call.project).valid_days
    if break_glass:
        document |= {"break_glass": True, "expires_at": rfc3339(call.now + EMERGENCY)}
    elif days is not None:
        document |= {"expires_at": rfc3339(call.now + timedelta(days=days))}
    call.session.add(
        Approval(
            project_seq=call.project.seq,
            suggestion=suggestion,
            digest=suggestion.digest,
            document=document,
            signature=signer.sign(document),
        )
    )


def _move(call: Call, act: Act, whom: Any) -> None:
    transition = TRANSITIONS[act]
    call.session.execute(
        update(Suggestion)
        .where(whom, Suggestion.project_seq == call.project.seq, Suggestion.state.in_(transition.states))
        .values(state=transition.becomes or SuggestionState.APPROVED)
    )
