"""What reviewers say, and what comes of it. Every act is decided by the table of `states`, in one transaction."""

from __future__ import annotations

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.review.approvals import put_in_force, renew, revoke
from cape_airflow.coordinator.review.facts import facts_of
from cape_airflow.coordinator.review.history import find_suggestion, reviews_of, room
from cape_airflow.coordinator.review.states import Act, Outcome, decide
from cape_airflow.coordinator.store.models import Review, Suggestion, SuggestionState, Verdict


def approve(
    call: Call, suggestion_id: str, digest: str, comment: str | None, revision: int | None = None
) -> Suggestion:
    """Say yes to a digest. With the last yes that the rule asks for, it is signed and becomes the project's policy.

    Raises:
        Problem: 404; 403 ``own-suggestion``, ``not-a-reviewer`` or ``tampered``; 409 ``digest-mismatch``,
            ``revision-mismatch``, ``base-moved`` or ``not-open``.
    """
    suggestion, outcome = _judge(call, suggestion_id, Act.APPROVE, comment, digest=digest, revision=revision)
    if outcome.carried:
        _settle(call, suggestion, comment)
        put_in_force(call, suggestion)
    call.record(Event.APPROVE_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def request_changes(
    call: Call, suggestion_id: str, digest: str, comment: str, revision: int | None = None
) -> Suggestion:
    """Ask the author for another text; nobody approves this one any more.

    Raises:
        Problem: 404; 403 ``own-suggestion``; 409 ``digest-mismatch``, ``revision-mismatch`` or ``not-open``.
    """
    suggestion, _ = _judge(call, suggestion_id, Act.REQUEST_CHANGES, comment, digest=digest, revision=revision)
    call.record(Event.REQUEST_CHANGES, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def reject(call: Call, suggestion_id: str, digest: str, comment: str, revision: int | None = None) -> Suggestion:
    """Reject a suggestion for good, saying why.

    Raises:
        Problem: 404; 403 ``own-suggestion`` or ``tampered``; 409 ``digest-mismatch``, ``revision-mismatch`` or
            ``not-open``.
    """
    suggestion, _ = _judge(call, suggestion_id, Act.REJECT, comment, digest=digest, revision=revision)
    _settle(call, suggestion, comment)
    call.record(Event.REJECT_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def break_glass(call: Call, suggestion_id: str, digest: str, reason: str, revision: int | None = None) -> Suggestion:
    """Put a suggestion in force without review, for 72 hours; an after-review is due.

    Raises:
        Problem: 404; 409 ``digest-mismatch``, ``revision-mismatch``, ``base-moved``, ``after-review-due`` or
            ``not-open``.
    """
    suggestion, _ = _judge(call, suggestion_id, Act.BREAK_GLASS, reason, digest=digest, revision=revision)
    put_in_force(call, suggestion, break_glass=True)
    call.record(Event.BREAK_GLASS, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def confirm(
    call: Call, suggestion_id: str, digest: str, comment: str | None, revision: int | None = None
) -> Suggestion:
    """Find right, afterwards, what was put in force without review. With the quorum, its approval is signed anew.

    One that was replaced meanwhile keeps the end that it has.

    Raises:
        Problem: 404; 403 ``own-suggestion``, ``own-break-glass`` or ``not-a-reviewer``; 409 ``no-after-review``,
            ``digest-mismatch``, ``revision-mismatch`` or ``not-open``.
    """
    suggestion, outcome = _judge(call, suggestion_id, Act.CONFIRM, comment, digest=digest, revision=revision)
    if outcome.carried:
        _settle(call, suggestion, comment)
        if outcome.state is SuggestionState.APPROVED:
            renew(call, suggestion)
    call.record(Event.CONFIRM_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def object_to(call: Call, suggestion_id: str, digest: str, comment: str, revision: int | None = None) -> Suggestion:
    """Find wrong, afterwards, what was put in force without review: it is revoked, and what it replaced counts again.

    Raises:
        Problem: 404; 403 ``own-suggestion`` or ``own-break-glass``; 409 ``no-after-review``, ``digest-mismatch``,
            ``revision-mismatch`` or ``not-open``.
    """
    was_in_force = find_suggestion(call, suggestion_id).state is SuggestionState.APPROVED
    suggestion, _ = _judge(call, suggestion_id, Act.OBJECT, comment, digest=digest, revision=revision)
    _settle(call, suggestion, comment)
    revoke(call, suggestion, was_in_force=was_in_force)
    call.record(Event.OBJECT_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def _judge(
    call: Call, suggestion_id: str, act: Act, comment: str | None, *, digest: str, revision: int | None
) -> tuple[Suggestion, Outcome]:
    suggestion = find_suggestion(call, suggestion_id)
    facts = facts_of(call, suggestion, act, digest, revision)
    outcome = decide(act, facts)
    room(reviews_of(call, suggestion), "reviews")
    review = Review(
        suggestion=suggestion,
        reviewer=call.user,
        revision=facts.revision,
        digest=facts.digest,
        verdict=Verdict(act),
        role=str(facts.role),
        comment=comment,
        created_at=call.now,
        via=call.via,
    )
    call.seals.put(review)
    call.session.add(review)
    suggestion.state = outcome.state
    return suggestion, outcome


def _settle(call: Call, suggestion: Suggestion, comment: str | None) -> None:
    suggestion.reviewer, suggestion.reviewed_at, suggestion.review_comment = call.user, call.now, comment
