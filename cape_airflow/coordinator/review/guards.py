"""Guards: what must hold before an event may happen to a suggestion. One small function a rule, over plain facts.

`review.states` says which guards stand before which event; `review.facts` reads the facts in the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import SuggestionState

Reviewer = Literal["project-owner", "auditor"]
"""Whom a quorum can name."""

UNKNOWN_BASE = ""
"""The base of a suggestion that was made before bases were written down: never the current one."""


@dataclass(frozen=True)
class Vote:
    """A yes to one revision: whose, and what he was when he gave it."""

    voter: str
    role: Reviewer
    revision: int


@dataclass(frozen=True)
class Facts:
    """What guards may know. People are named by id.

    Args:
        actor: who asks; `role` is what he may review as, None for nothing.
        author: who suggested it; `authors` are he and all who ever edited it.
        digest: of the text as it is now, at `revision`.
        seen_digest, seen_revision: what the actor says he saw; None where he need not say it.
        base: the digest that the text was written against; `current` is the one in force now.
        votes: all that were ever given for this event, whatever they are still worth.
        roles: what those who voted may review as now.
        quorum: how many of each role must agree.
        unreviewed: it is in force without review, by `breaker`.
        owes_review: the actor put another one in force without review, whose after-review is still due.
    """

    state: SuggestionState
    actor: str
    role: Reviewer | None
    author: str
    authors: frozenset[str]
    digest: str
    revision: int
    seen_digest: str | None = None
    seen_revision: int | None = None
    base: str | None = None
    current: str | None = None
    votes: tuple[Vote, ...] = ()
    roles: Mapping[str, Reviewer | None] | None = None
    quorum: Mapping[Reviewer, int] | None = None
    unreviewed: bool = False
    breaker: str | None = None
    owes_review: bool = False


Guard = Callable[[Facts], None]
"""Raises Problem where the event may not happen."""


def not_by_author(facts: Facts) -> None:
    """Nobody reviews what he wrote or edited, whatever he is and whatever he is called by now."""
    if facts.actor in facts.authors:
        raise Problem(403, "own-suggestion", "nobody reviews a suggestion of his own; ask another owner")


def by_author_or_owner(facts: Facts) -> None:
    """A contributor takes back his own; an owner also what an author left behind."""
    if facts.actor != facts.author and facts.role != "project-owner":
        raise Problem(403, "not-the-author", "its author or an owner withdraws a suggestion")


def digest_was_seen(facts: Facts) -> None:
    """A verdict is about the text that the reviewer saw."""
    if facts.seen_digest != facts.digest:
        raise Problem(409, "digest-mismatch", "this suggestion has another digest; look at it again")


def revision_was_seen(facts: Facts) -> None:
    """Who names the revision that he saw is told where there is a newer one."""
    if facts.seen_revision not in (None, facts.revision):
        raise Problem(409, "revision-mismatch", "somebody has edited this suggestion meanwhile; look at it again")


def base_is_current(facts: Facts) -> None:
    """What was reviewed is the difference from the policy that it replaces."""
    if facts.base != facts.current:
        raise Problem(409, "base-moved", "another policy was approved since this one was written; rebase it first")


def may_vote(facts: Facts) -> None:
    """Who approves is one of those whom the quorum names."""
    if facts.role is None or not (facts.quorum or {}).get(facts.role):
        raise Problem(403, "not-a-reviewer", "the project's review rule asks for the approval of others")


def is_unreviewed(facts: Facts) -> None:
    """An after-review is for what is in force without a review."""
    if not facts.unreviewed:
        raise Problem(409, "no-after-review", "no after-review is due for this suggestion")


def not_by_breaker(facts: Facts) -> None:
    """Who broke the glass does not say himself that it was right."""
    if facts.actor == facts.breaker:
        raise Problem(403, "own-break-glass", "the after-review is for others than who broke the glass")


def owes_no_review(facts: Facts) -> None:
    """An emergency ends with its after-review, and not with the next emergency of the same person."""
    if facts.owes_review:
        raise Problem(409, "after-review-due", "have what you put in force without review reviewed by others first")


Test = Callable[[Facts, Vote], bool]
"""Whether a vote counts."""


def for_this_revision(facts: Facts, vote: Vote) -> bool:
    """Any edit clears what was said before it."""
    return vote.revision == facts.revision


def still_entitled(facts: Facts, vote: Vote) -> bool:
    """Who has lost the role since has no say at the merge."""
    return (facts.roles or {}).get(vote.voter) == vote.role
