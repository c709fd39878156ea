"""Dry runs that authors and their workers attach: what the policy did to a sample, in counts and shapes."""

from __future__ import annotations

from sqlalchemy import Select, select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.history import find_suggestion, revisions_of, room
from cape_airflow.coordinator.store.models import DryRunRow, Suggestion
from cape_airflow.jobs import DryRun


def attach_dry_run(call: Call, suggestion_id: str, report: DryRun) -> DryRunRow:
    """Attach a dry run to a suggestion as it is now; the newest one is shown.

    Raises:
        Problem: 404; 409 ``digest-mismatch`` where it is of another text; 409 where there are 200 already.
    """
    suggestion = find_suggestion(call, suggestion_id)
    if report.policy_digest != suggestion.digest:
        raise Problem(409, "digest-mismatch", "this dry run is of another digest than the suggestion has now")
    room(call.session.scalars(_of(suggestion).with_only_columns(DryRunRow.seq)).all(), "dry-runs")
    row = DryRunRow(
        suggestion_seq=suggestion.seq,
        reporter=call.user,
        revision=max(len(revisions_of(call, suggestion)), 1),
        created_at=call.now,
        document=report.model_dump(mode="json"),
    )
    call.session.add(row)
    call.record(Event.ATTACH_DRY_RUN, "suggestion", suggestion.id, suggestion.digest)
    return row


def dry_run_of(call: Call, suggestion: Suggestion, revision: int) -> DryRunRow | None:
    """Return the newest dry run of a revision; None where nobody attached one."""
    newest = _of(suggestion).where(DryRunRow.revision == revision).order_by(DryRunRow.seq.desc()).limit(1)
    return call.session.scalar(newest)


def _of(suggestion: Suggestion) -> Select[DryRunRow]:
    return select(DryRunRow).where(DryRunRow.suggestion_seq == suggestion.seq)
