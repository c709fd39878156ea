"""Several jobs at a glance: how they went, how fast they are, and what became of which column in all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cape_airflow.coordinator.pages.job_view import JobView
from cape_airflow.jobs import ColumnCounts


@dataclass(frozen=True)
class ColumnSum:
    """What a column got in all the jobs that did the same to it."""

    name: str
    decision: str
    techniques: tuple[str, ...]
    jobs: int
    values: int
    nulls: int


@dataclass(frozen=True)
class JobSums:
    """Figures of several jobs."""

    jobs: Sequence[JobView]

    @property
    def states(self) -> Counter[str]:
        """How many jobs are in which state."""
        return Counter(view.job.state for view in self.jobs)

    @property
    def rows_in(self) -> int:
        """How many rows were read."""
        return sum(view.job.progress.rows_in for view in self.jobs)

    @property
    def rows_out(self) -> int:
        """How many rows were written."""
        return sum(view.job.progress.rows_out for view in self.jobs)

    @property
    def rows_per_second(self) -> float | None:
        """How many rows are read in a second by all that run now; None where none does, or none has yet."""
        rates = [view.rows_per_second for view in self.jobs if view.running and view.rows_per_second]
        return sum(rates) if rates else None

    @property
    def decisions(self) -> Counter[str]:
        """How many columns were transformed, dropped and kept, each counted in every job."""
        return sum((view.decisions for view in self.jobs), Counter())

    @property
    def coverage(self) -> float | None:
        """The share of columns that were transformed or dropped, 0 to 1; None before there is any."""
        total = self.decisions.total()
        return 1 - self.decisions["kept"] / total if total else None

    @property
    def columns(self) -> list[ColumnSum]:
        """The counts of each column, by name; a line for each thing that jobs did to it."""
        found: dict[tuple[str, str, tuple[str, ...]], list[ColumnCounts]] = {}
        for counts in (column for view in self.jobs for column in view.job.columns):
            found.setdefault((counts.name, counts.decision, counts.techniques), []).append(counts)
        return [
            ColumnSum(*what, len(each), sum(counts.values for counts in each), sum(counts.nulls for counts in each))
            for what, each in sorted(found.items())
        ]
