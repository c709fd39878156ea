"""The life of a suggestion, as one table: which event may happen in which state, behind which guards, to what end.

```
             edit, rebase, approve (no quorum yet)
               ┌──┐
   suggest ──▶ open ──approve──▶ approved ──(another is approved)──▶ superseded
               │  ▲ ╲              ▲  │ ◀──(what replaced it falls)──   │
request-changes│  │edit╲─break-glass─┘  └────────── object ─────────────┴──▶ rejected
               ▼  │                              (after break-glass)
       changes-requested
```

From open and changes-requested, `reject` leads to rejected and `withdraw` to withdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review import guards
from cape_airflow.coordinator.review.guards import Facts, Guard, Test, Vote
from cape_airflow.coordinator.store.models import SuggestionState

_OPEN, _APPROVED = SuggestionState.OPEN, SuggestionState.APPROVED
_UNDECIDED = frozenset({_OPEN, SuggestionState.CHANGES_REQUESTED})
_WAS_APPROVED = frozenset({_APPROVED, SuggestionState.SUPERSEDED})


class Act(StrEnum):
    """What can happen to a suggestion. The last two happen when another one is decided."""

    COMMENT = "comment"
    EDIT = "edit"
    REBASE = "rebase"
    WITHDRAW = "withdraw"
    REQUEST_CHANGES = "request-changes"
    REJECT = "reject"
    APPROVE = "approve"
    BREAK_GLASS = "break-glass"
    CONFIRM = "confirm"
    OBJECT = "object"
    SUPERSEDE = "supersede"
    REINSTATE = "reinstate"


@dataclass(frozen=True)
class Transition:
    """What an act needs, and what it leads to.

    Args:
        states: where it may happen.
        guards: asked in this order.
        becomes: the state afterwards; None: it stays. Where there is a quorum, only once that is reached.
        counts: whose yes counts towards the quorum; None where one person decides.
    """

    states: frozenset[SuggestionState]
    guards: tuple[Guard, ...] = ()
    becomes: SuggestionState | None = None
    counts: tuple[Test, ...] | None = None


_SEEN = (guards.digest_was_seen, guards.revision_was_seen)

TRANSITIONS: Mapping[Act, Transition] = {
    Act.COMMENT: Transition(frozenset(SuggestionState)),
    Act.EDIT: Transition(_UNDECIDED, (guards.revision_was_seen,), _OPEN),
    Act.REBASE: Transition(_UNDECIDED, (guards.revision_was_seen,)),
    Act.WITHDRAW: Transition(_UNDECIDED, (guards.by_author_or_owner,), SuggestionState.WITHDRAWN),
    Act.REQUEST_CHANGES: Transition(
        frozenset({_OPEN}), (guards.not_by_author, *_SEEN), SuggestionState.CHANGES_REQUESTED
    ),
    Act.REJECT: Transition(_UNDECIDED, (guards.not_by_author, *_SEEN), SuggestionState.REJECTED),
    Act.APPROVE: Transition(
        frozenset({_OPEN}),
        (guards.not_by_author, *_SEEN, guards.may_vote, guards.base_is_current),
        _APPROVED,
        counts=(guards.for_this_revision, guards.still_entitled),
    ),
    Act.BREAK_GLASS: Transition(_UNDECIDED, (*_SEEN, guards.base_is_current, guards.owes_no_review), _APPROVED),
    Act.CONFIRM: Transition(
        _WAS_APPROVED,
        (guards.is_unreviewed, guards.not_by_author, guards.not_by_breaker, *_SEEN, guards.may_vote),
        counts=(guards.still_entitled,),  # nothing that is in force is edited
    ),
    Act.OBJECT: Transition(
        _WAS_APPROVED,
        (guards.is_unreviewed, guards.not_by_author, guards.not_by_breaker, *_SEEN),
        SuggestionState.REJECTED,
    ),
    Act.SUPERSEDE: Transition(frozenset({_APPROVED}), (), SuggestionState.SUPERSEDED),
    Act.REINSTATE: Transition(frozenset({SuggestionState.SUPERSEDED}), (), _APPROVED),
}


@dataclass(frozen=True)
class Outcome:
    """The state after an act; `carried` says that nobody else's yes is waited for."""

    state: SuggestionState
    carried: bool


def decide(act: Act, facts: Facts) -> Outcome:
    """Return what an act leads to; the actor's own yes is counted.

    Raises:
        Problem: 409 ``not-open`` where the state does not allow it; or what a guard says.
    """
    transition = TRANSITIONS[act]
    if facts.state not in transition.states:
        raise Problem(409, "not-open", f"this suggestion is {facts.state}; {act} is not possible any more")
    for guard in transition.guards:
        guard(facts)
    carried = transition.counts is None or _agreed(act, facts)
    return Outcome(transition.becomes or facts.state if carried else facts.state, carried)


def standing(act: Act, facts: Facts, *more: Vote) -> Counter[str]:
    """Return how many of each role have said yes, everybody once; only votes that still count."""
    tests = TRANSITIONS[act].counts or ()
    votes = (vote for vote in (*facts.votes, *more) if all(test(facts, vote) for test in tests))
    return Counter({vote.voter: vote.role for vote in votes}.values())


def _agreed(act: Act, facts: Facts) -> bool:
    own = (Vote(facts.actor, facts.role, facts.revision),) if facts.role else ()
    given = standing(act, facts, *own)
    return all(given[role] >= wanted for role, wanted in (facts.quorum or {}).items())
