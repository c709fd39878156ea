"""Sections of the report, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import Unavailable

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- `make bench` writes from here -->", "<!-- to here -->"


@dataclass(frozen=True)
class Goal:
    """What a ratio should be.

    Args:
        what: is compared with what.
        measured: returns the ratio.
        limit: at least this, or at most.
        at_most: whether less is better.
    """

    what: str
    measured: Callable[[], float]
    limit: float
    at_most: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table."""
        wanted = f"{'≤' if self.at_most else '≥'} {self.limit:,g}"
        try:
            ratio = self.measured()
        except Unavailable as reason:
            return self.what, wanted, f"not measured ({reason})", "-"
        met = ratio <= self.limit if self.at_most else ratio >= self.limit
        return self.what, wanted, figure(ratio), "yes" if met else "**no**"


@dataclass(frozen=True)
class Table:
    """Rows of cells below their heads; the first column is text, the others are figures."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def __str__(self) -> str:
        ruler = ("---", *("---:" for _ in self.heads[1:]))
        return "\n".join("| " + " | ".join(cells) + " |" for cells in (self.heads, ruler, *self.rows))


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    title: str
    words: str
    tables: Sequence[Table] = ()
    goals: Sequence[Goal] = field(default_factory=tuple)

    def __str__(self) -> str:
        goals = [Table(("goal", "wanted", "measured", "met"), [goal.cells() for goal in self.goals])] * bool(self.goals)
        return "\n\n".join([f"## {self.title}", self.words, *map(str, [*self.tables, *goals])])


def figure(number: float) -> str:
    """Return a number with three digits that count, and not less than whole ones."""
    digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    return f"{number:,.{digits}f}"


def cell(measure: Callable[[], float], factor: float = 1.0) -> str:
    """Return a figure for a table; a dash where it was not measured, which its row gives the reason for."""
    try:
        return figure(measure() * factor)
    except Unavailable:
        return "-"


def write(report: str, part: str | None = None) -> None:
    """Put the report in the place of the last one in `README.md`, where that of a part on its own has its own."""
    begin = BEGIN if part is None else f"<!-- `--only {part} --keep` writes from here -->"
    before, _, rest = README.read_text().partition(begin)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{begin}\n\n{report}\n\n{END}{after}")
