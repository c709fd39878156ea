"""What Cape's clients say that they did: they applied a policy. Who and when, the coordinator knows better."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import Approval, Suggestion


def record_application(call: Call, said: Mapping[str, str]) -> None:
    """Record that the caller applied a policy of the project.

    Args:
        said: Cape's ``AuditEventInput``. Of what it says of the user, only the id is looked at, and no time.

    Raises:
        Problem: 422 ``unknown-event`` for any other event; 403 ``other-user`` where it speaks of somebody else; 409
            ``policy-not-approved`` where no such policy was ever approved in the project.
    """
    if (said["event_name"], said["target_type"]) != (Event.APPLY_POLICY.value, "policy"):
        raise Problem(422, "unknown-event", "of clients, only `apply-policy` is taken; the rest is recorded by itself")
    if said["user_id"] != call.user.id:
        raise Problem(403, "other-user", "this event speaks of somebody else than the one who is logged in")
    digest = call.session.scalar(
        select(Approval.digest)
        .join(Suggestion, Suggestion.seq == Approval.suggestion_seq)
        .where(Approval.project_seq == call.project.seq, Suggestion.id == said["target_id"])
        .limit(1)
    )
    if digest is None:
        raise Problem(409, "policy-not-approved", "no policy with this id was ever approved in the project")
    call.record(Event.APPLY_POLICY, "policy", said["target_id"], digest)
