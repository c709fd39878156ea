"""The whole job at several sizes: cost per row and memory should not depend on them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.environments import OURS
from benchmarks.inputs import customers
from benchmarks.options import NATIVE, Options, cores
from benchmarks.processes import Contender
from benchmarks.report import Goal, Section, Table, cell
from benchmarks.rounds import Measured, interleaved, ratio

SHARES = (0.01, 0.1, 0.5, 2)
WORDS = """\
The policy with native kernels on {cores} cores; microseconds per row, medians; the peak is that of the process."""


def section(options: Options) -> Section:
    """Measure; return the part of the report."""
    sizes = [max(int(options.rows * share), 1) for share in SHARES]
    outcomes = interleaved([_contender(rows, options) for rows in sizes], options, _remove)
    smallest, middle, largest = outcomes[0], outcomes[1], outcomes[-1]
    return Section(
        "Sizes",
        WORDS.format(cores=cores()),
        [Table(("rows", "CPU", "to the smallest", "time", "peak MB"), [_row(each, smallest) for each in outcomes])],
        [
            Goal("dearest size to the cheapest, CPU per row", lambda: _spread(outcomes), 1.1, at_most=True),
            Goal(
                f"peak at {largest.contender.rows:,} rows to that at {middle.contender.rows:,}",
                lambda: largest.peak / middle.peak,
                1.1,
                at_most=True,
            ),
            Goal("peak of the largest, GB", lambda: largest.peak / 1e9, 1, at_most=True),
        ],
    )


def _contender(rows: int, options: Options) -> Contender:
    paths = {"source": customers("parquet", rows, options), "target": str(options.folder / f"scale-{rows}.parquet")}
    return Contender(f"{rows:,}", "ours:job", paths, rows, OURS, cores(), NATIVE)


def _remove(contender: Contender) -> None:
    Path(contender.arguments["target"]).unlink()


def _row(outcome: Measured, smallest: Measured) -> tuple[str, ...]:
    if outcome.missing:
        return outcome.contender.name, f"not available: {outcome.missing}", "-", "-", "-"
    return (
        outcome.contender.name,
        cell(lambda: outcome.per_row("cpu") * 1e6),
        cell(lambda: ratio(outcome, smallest)),
        cell(lambda: outcome.per_row("seconds") * 1e6),
        cell(lambda: outcome.peak / 1e6),
    )


def _spread(outcomes: list[Measured]) -> float:
    costs = [outcome.per_row("cpu") for outcome in outcomes]
    return max(costs) / min(costs)
