"""Everything that a reviewer needs to see, in one answer: for the API and for the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
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
    for tag, start, stop, other_start, other_stop in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs = zip(range(start, stop), range(other_start, other_stop), strict=True)
            lines += [DiffLine("same", old + 1, new + 1, before[old]) for old, new in pairs]
            continue
        lines += [DiffLine("removed", old + 1, None, before[old]) for old in range(start, stop)]
        lines += [DiffLine("added", None, new + 1, after[new]) for new in range(other_start, other_stop)]
    return lines
