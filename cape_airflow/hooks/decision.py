"""The question of sensor and trigger: has it been decided? One request, for either client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from cape_airflow.client.address import path_of
from cape_airflow.client.protocol import Answer, Request, json_of
from cape_airflow.client.results import Approval, SignedPolicy
from cape_airflow.client.review_results import Suggestion
from cape_airflow.errors import CoordinatorRefused

_LONGEST_WORDS = 500
_APPROVED = ("approved", "superseded")  # what another policy has replaced stays approved for who asks for its digest


@dataclass(frozen=True)
class Decision:
    """What the coordinator says; nothing of it is verified, so that `CapeHook.get_policy` has the last word.

    Args:
        state: open, approved, rejected or withdrawn.
        digest: of the approved policy; None as long as it is open, or when it never will be.
        reviewer: who rejected it.
        words: and why, on one line.
        ran_out: when the approval ended that must be given again; None where none has.
    """

    state: str
    digest: str | None = None
    reviewer: str | None = None
    words: str | None = None
    ran_out: datetime | None = None


def decision(project: str, suggestion_id: str | None) -> Request[Decision]:
    """Return the request that asks for the decision about a suggestion, or about any policy of a project.

    Args:
        project: label.
        suggestion_id: None for the project's approved policy, whichever suggestion it came from.

    Raises:
        CoordinatorError: a name is empty or made of dots.
    """
    if suggestion_id is not None:
        return Request("GET", path_of("projects", project, "suggestions", suggestion_id), _of_suggestion)
    return Request("GET", path_of("projects", project, "policy"), _of_project, accepts=(200, 404))


def _of_suggestion(answer: Answer) -> Decision:
    suggestion = json_of(Suggestion)(answer)
    if suggestion.state == "rejected":
        reviewer, words = _one_line(suggestion.reviewed_by), _one_line(suggestion.review_comment)
        return Decision("rejected", None, reviewer, words)
    if suggestion.state == "withdrawn":
        return Decision("withdrawn")
    decided = suggestion.state in _APPROVED
    return Decision("approved", suggestion.digest) if decided else Decision("open")


def _of_project(answer: Answer) -> Decision:
    if answer.status == 200:
        signed = json_of(SignedPolicy)(answer)
        approval = Approval.model_validate(signed.approval)
        if approval.has_run_out(datetime.now(UTC)):
            return Decision("open", ran_out=approval.expires_at)
        return Decision("approved", signed.digest)
    body = json.loads(answer.body)
    match body:
        case {"code": "no-approved-policy"}:
            return Decision("open")
        case {"code": "not-found"}:
            message = "there is no such project, or it is not open to this token"
            raise CoordinatorRefused(message, answer.status, "not-found")
    raise ValueError("it is not the coordinator's")


def _one_line(text: str | None) -> str:
    """Return what somebody wrote so that it cannot forge a line of a log, nor turn its direction."""
    printable = "".join(char if char.isprintable() else " " for char in (text or "")[:_LONGEST_WORDS])
    return " ".join(printable.split())
