"""What waits for the caller: suggestions that he may approve, and policies whose after-review he may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from sqlalchemy import and_, or_

from cape_airflow.coordinator import review
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.reach import projects_open_to
from cape_airflow.coordinator.review.facts import facts_of
from cape_airflow.coordinator.review.guards import for_this_revision
from cape_airflow.coordinator.review.states import Act, decide
from cape_airflow.coordinator.store.models import Suggestion, SuggestionState

_APPROVE = "/v1/projects/{label}/suggestions/{id}/approve"
_UNREVIEWED = and_(
    Suggestion.state.in_((SuggestionState.APPROVED, SuggestionState.SUPERSEDED)), Suggestion.reviewed_at.is_(None)
)


@dataclass(frozen=True)
class Waiting:
    """A suggestion that the caller may say yes to, by approving it or by an after-review."""

    suggestion: Suggestion
    act: Act


def waiting_for(call: Call, most: int = 20) -> list[Waiting]:
    """Return what waits for the caller, up to `most`: by project, the oldest first.

    Raises:
        Problem: 403 ``tampered``.
    """
    return list(islice(_waiting(call), most))


def _waiting(call: Call) -> Iterator[Waiting]:
    for project in projects_open_to(call, "POST", _APPROVE):
        there = replace(call, about=project)
        asked = review.suggestions(there).where(or_(Suggestion.state == SuggestionState.OPEN, _UNREVIEWED))
        for suggestion in call.session.scalars(asked.order_by(Suggestion.seq)):
            act = Act.APPROVE if suggestion.state is SuggestionState.OPEN else Act.CONFIRM
            if _is_asked(there, suggestion, act):
                yield Waiting(suggestion, act)


def _is_asked(call: Call, suggestion: Suggestion, act: Act) -> bool:
    """Whether the caller could say yes, and has not said it yet."""
    facts = facts_of(call, suggestion, act, suggestion.digest)
    if any(vote.voter == call.user.id and for_this_revision(facts, vote) for vote in facts.votes):
        return False
    try:
        decide(act, facts)
    except Problem:
        return False  # the rules of the review say no
    return True
