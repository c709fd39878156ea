"""Everything that a reviewer needs to see, in one answer: for the API and for the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.dry_runs import dry_run_of
from cape_airflow.coordinator.review.facts import facts_of
from cape_airflow.coordinator.review.guards import Facts
from cape_airflow.coordinator.review.history import (
    approval_of,
    approved,
    find_revision,
    find_suggestion,
    reviews_of,
    revisions_of,
)
from cape_airflow.coordinator.review.states import Act, decide, standing
from cape_airflow.coordinator.store.models import DryRunRow, Review, Revision, Suggestion
from cape_airflow.policy import EffectChange, Finding, compare_effects, lint, load_policy

_MOST_PAIRS = 50_000

_ACTS = (
    Act.EDIT,
    Act.REBASE,
    Act.WITHDRAW,
    Act.REQUEST_CHANGES,
    Act.REJECT,
    Act.APPROVE,
    Act.BREAK_GLASS,
    Act.CONFIRM,
    Act.OBJECT,
)


@dataclass(frozen=True)
class DiffLine:
    """One line of two texts; a number is None where the line is not in that text."""

    kind: Literal["same", "removed", "added"]
    before: int | None
    after: int | None
    text: str


@dataclass(frozen=True)
class Comparison:
    """Two policy texts side by side.

    Args:
        before, after: digests; `before` is None where there was no policy.
        lines: all lines of both.
        effects: what the columns and matchers of both get, changed or not.
    """

    before: str | None
    after: str
    lines: tuple[DiffLine, ...]
    effects: tuple[EffectChange, ...]


@dataclass(frozen=True)
class Wanted:
    """Whose approvals the rule asks for, and how many are there."""

    role: str
    wanted: int
    given: int


@dataclass(frozen=True)
class ReviewReport:
    """What a reviewer looks at.

    Args:
        revision: number of the newest revision, to which everything here belongs.
        revisions, reviews: all of them, the newest last.
        comparison: with the policy that it was written against.
        base_moved: another policy is in force by now, so that it must be rebased.
        findings: what `lint` says of the text.
        quorum: how far the approval is; of the after-review, where one is due.
        after_review_due: it is in force without a review.
        dry_run: of this revision, where somebody attached one.
        refusals: for each act, why the suggestion does not allow it to the caller now, as a code and a message; None
            where it does. Whether his role lets him at it at all is the permission table's.
    """

    suggestion: Suggestion
    revision: int
    revisions: Sequence[Revision]
    reviews: Sequence[Review]
    comparison: Comparison
    base_moved: bool
    findings: tuple[Finding, ...]
    quorum: tuple[Wanted, ...]
    after_review_due: bool
    dry_run: DryRunRow | None
    refusals: Mapping[str, tuple[str, str] | None]


def report(call: Call, suggestion_id: str) -> ReviewReport:
    """Return what a reviewer needs.

    Raises:
        Problem: 404 where there is no such suggestion in this project; 403 ``tampered``.
    """
    suggestion = find_suggestion(call, suggestion_id)
    facts = facts_of(call, suggestion, Act.APPROVE, suggestion.digest)
    if facts.unreviewed:
        facts = facts_of(call, suggestion, Act.CONFIRM, suggestion.digest)
    return ReviewReport(
        suggestion=suggestion,
        revision=facts.revision,
        revisions=revisions_of(call, suggestion),
        reviews=reviews_of(call, suggestion),
        comparison=_with_base(call, facts, suggestion.policy),
        base_moved=facts.base != facts.current,
        findings=tuple(lint(load_policy(suggestion.policy))),
        quorum=_quorum(facts),
        after_review_due=facts.unreviewed,
        dry_run=dry_run_of(call, suggestion, facts.revision),
        refusals={act.value: _refusal(act, facts) for act in _ACTS},
    )


def compare(before: str | None, after: str) -> Comparison:
    """Compare two policy texts; None for no policy at all."""
    old, new = load_policy(before) if before is not None else None, load_policy(after)
    lines = tuple(_lines((before or "").splitlines(), after.splitlines()))
    return Comparison(old.digest if old else None, new.digest, lines, compare_effects(old, new))


def text_of(call: Call, version: str) -> str:
    """Return the text of a version: an approved digest, a suggestion's id, or ``<id>.<number of a revision>``.

    Raises:
        Problem: 404; 403 ``tampered``.
    """
    if len(version) == 64:
        return approved(call, version).suggestion.policy
    suggestion_id, _, number = version.partition(".")
    suggestion = find_suggestion(call, suggestion_id)
    return find_revision(call, suggestion, int(number)).policy if number else suggestion.policy


def _with_base(call: Call, facts: Facts, text: str) -> Comparison:
    base = approval_of(call, facts.base) if facts.base else None
    return compare(base.suggestion.policy if base else None, text)


def _quorum(facts: Facts) -> tuple[Wanted, ...]:
    given = standing(Act.CONFIRM if facts.unreviewed else Act.APPROVE, facts)
    return tuple(Wanted(role, wanted, given[role]) for role, wanted in (facts.quorum or {}).items())


def _refusal(act: Act, facts: Facts) -> tuple[str, str] | None:
    try:
        decide(act, facts)
    except Problem as problem:
        return problem.code, str(problem.detail)
    return None


def _lines(before: list[str], after: list[str]) -> list[DiffLine]:
    lines: list[DiffLine] = []
    old = new = 0
    for start, other_start, size in _matches(before, after):
        lines += [DiffLine("removed", number + 1, None, before[number]) for number in range(old, start)]
        lines += [DiffLine("added", None, number + 1, after[number]) for number in range(new, other_start)]
        old, new = start + size, other_start + size
        pairs = zip(range(start, old), range(other_start, new), strict=True)
        lines += [DiffLine("same", number + 1, other + 1, before[number]) for number, other in pairs]
    return lines


def _matches(before: list[str], after: list[str]) -> list[tuple[int, int, int]]:
    """Return where lines stay: the place in both texts, and how many.

    `SequenceMatcher` takes longer and longer with the pairs of equal lines. Where those are too many, everything
    between the common beginning and the common end counts as written anew.
    """
    head = _common(before, after)
    tail = _common(reversed(before[head:]), reversed(after[head:]))
    end, other_end = len(before) - tail, len(after) - tail
    old, new = before[head:end], after[head:other_end]
    occurring = Counter(new)
    few = sum(occurring[line] for line in old) <= _MOST_PAIRS
    between = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks() if few else []
    return [(0, 0, head), *((head + i, head + j, size) for i, j, size in between), (end, other_end, tail)]


def _common(lines: Iterable[str], others: Iterable[str]) -> int:
    """Return how many lines two texts have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(lines, others, strict=False)))
