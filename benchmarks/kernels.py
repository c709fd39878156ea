"""The loops over values, native and twin, beside what others offer, on one core."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.comparisons import Comparison, beside_copies, comparisons
from benchmarks.inputs import customers
from benchmarks.options import Options
from benchmarks.report import Goal, Section, Table, cell
from benchmarks.rounds import Measured, interleaved, ratio

WORDS = """\
One core; {rows:,} distinct values without nulls, and fewer for slow contenders. Nanoseconds of CPU time per value,
medians. Kernels take and give Arrow arrays of 65,536 values, and so do loops; peers have what they like best. "Policy"
is the kernel as a policy of one rule, with all checks and counts. The goals were set on a processor without SHA
instructions; where there are some, hashlib and polars-hash use them, and a row shows hashlib with them switched off
(OPENSSL_ia32cap)."""
MOST_ROWS = 1_000_000
CHEAP_PASSES = 10  # a single one over that many rows would be too short to measure


def section(options: Options) -> Section:
    """Measure; return the part of the report."""
    rows = min(max(options.rows // 2, 1), MOST_ROWS)
    source = customers("arrow", rows, options)
    tables: list[Table] = []
    goals: list[Goal] = []
    for comparison in comparisons(source, rows):
        outcomes = {each.contender.name: each for each in interleaved(comparison.contenders, options)}
        tables.append(_table(comparison, outcomes))
        goals += _goals(comparison, outcomes)
    return Section("Kernels", WORDS.format(rows=rows), [*tables, _cheap(source, rows, options)], goals)


def _table(comparison: Comparison, outcomes: Mapping[str, Measured]) -> Table:
    reference = outcomes[comparison.against]
    rows = [_row(outcome, reference) for outcome in outcomes.values()]
    return Table((comparison.title, "values", "ns", f"times as fast as {comparison.against}"), rows)


def _row(outcome: Measured, reference: Measured) -> tuple[str, ...]:
    contender = outcome.contender
    if outcome.missing:
        return contender.name, "-", f"not available: {outcome.missing}", "-"
    return (
        contender.name,
        f"{contender.rows:,}",
        cell(lambda: outcome.per_row("cpu") * 1e9),
        cell(lambda: ratio(reference, outcome)),
    )


def _goals(comparison: Comparison, outcomes: Mapping[str, Measured]) -> list[Goal]:
    return [
        Goal(f"{fast} faster than {slow}", partial(ratio, outcomes[slow], outcomes[fast]), limit)
        for fast, slow, limit in comparison.goals
    ]


def _cheap(source: str, rows: int, options: Options) -> Table:
    pairs = beside_copies(source, rows * CHEAP_PASSES)
    outcomes = iter(interleaved([contender for pair in pairs for contender in pair], options))
    return Table(
        ("Cheap ones, beside a plain copy of the column", "values", "ns", "copy, ns", "copies"),
        [_cheap_row(outcome, copy) for outcome, copy in zip(outcomes, outcomes, strict=True)],
    )


def _cheap_row(outcome: Measured, copy: Measured) -> tuple[str, ...]:
    return (
        outcome.contender.name,
        f"not available: {outcome.missing}" if outcome.missing else f"{outcome.contender.rows:,}",
        cell(lambda: outcome.per_row("cpu") * 1e9),
        cell(lambda: copy.per_row("cpu") * 1e9),
        cell(lambda: ratio(outcome, copy)),
    )
