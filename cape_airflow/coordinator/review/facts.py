"""Reads the facts that guards go by, all in the transaction of the decision."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.permissions import ProjectRole, Role
from cape_airflow.coordinator.review.guards import UNKNOWN_BASE, Facts, Reviewer, Vote
from cape_airflow.coordinator.review.history import digest_in_force, reviews_of, revisions_of
from cape_airflow.coordinator.review.quorum import rule_of
from cape_airflow.coordinator.review.states import Act
from cape_airflow.coordinator.store.models import Contributor, Review, Suggestion, User, Verdict


def facts_of(
    call: Call, suggestion: Suggestion, act: Act, digest: str | None = None, revision: int | None = None
) -> Facts:
    """Return what the guards of `act` may know.

    Args:
        digest, revision: what the caller says he saw.

    Raises:
        Problem: 403 ``tampered``.
    """
    revisions, reviews = revisions_of(call, suggestion), reviews_of(call, suggestion)
    votes = [review for review in reviews if review.verdict.value == act.value]
    roles = _roles(call, [call.user, *(review.reviewer for review in votes)])
    breaker = _breaker(reviews)
    return Facts(
        state=suggestion.state,
        actor=call.user.id,
        role=roles[call.user.id],
        author=suggestion.author.id,
        authors=frozenset({suggestion.author.id, *(row.editor.id for row in revisions)}),
        digest=suggestion.digest,
        revision=max(len(revisions), 1),
        seen_digest=digest,
        seen_revision=revision,
        base=revisions[-1].base_digest if revisions else UNKNOWN_BASE,
        current=digest_in_force(call),
        votes=tuple(_vote(review) for review in votes),
        roles=roles,
        quorum=rule_of(call.seals, call.session, call.project).quorum,
        unreviewed=breaker is not None and suggestion.reviewed_at is None,
        breaker=breaker,
        owes_review=_owes_review(call),
    )


def _owes_review(call: Call) -> bool:
    """Whether the caller put something in force in the project that nobody has reviewed yet."""
    broken = (
        select(Review.seq)
        .join(Suggestion, Suggestion.seq == Review.suggestion_seq)
        .where(Suggestion.project_seq == call.project.seq, Suggestion.reviewed_at.is_(None))
        .where(Review.reviewer_seq == call.user.seq, Review.verdict == Verdict.BREAK_GLASS)
    )
    return call.session.scalar(broken.limit(1)) is not None


def _vote(review: Review) -> Vote:
    return Vote(review.reviewer.id, review.role, review.revision)  # type: ignore[arg-type]  # sealed: written here


def _breaker(reviews: Iterable[Review]) -> str | None:
    return next((review.reviewer.id for review in reviews if review.verdict is Verdict.BREAK_GLASS), None)


def _roles(call: Call, people: Iterable[User]) -> dict[str, Reviewer | None]:
    """Return what each of them may review as in the project now."""
    users = {user.seq: user for user in people}
    memberships = call.session.scalars(
        select(Contributor).where(Contributor.project_seq == call.project.seq, Contributor.user_seq.in_(users))
    ).all()
    call.seals.check(*users.values(), *memberships)
    owners = {each.user_seq for each in memberships if each.role is ProjectRole.OWNER}
    return {user.id: _role(user, owns=seq in owners) for seq, user in users.items()}


def _role(user: User, *, owns: bool) -> Reviewer | None:
    if user.deactivated_at is not None:
        return None
    if user.role is Role.AUDITOR:
        return "auditor"
    return "project-owner" if owns else None
