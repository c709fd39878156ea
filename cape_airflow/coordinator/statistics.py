"""Figures of jobs: runs per day, values per technique, and what became of columns. Days are those of UTC.

The day of a job is that of its last report, by the coordinator's clock; what workers' clocks say counts for nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Text, cast, func, select

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.store.models import Job, JobColumn, Project
from cape_airflow.jobs import JobState

PerDay = Mapping[str, Sequence[int]]
"""Counts by what is counted, one for each day."""


@dataclass(frozen=True)
class Period:
    """Whole days, the last of which is not over."""

    days: tuple[date, ...]

    @classmethod
    def ending(cls, now: datetime, length: int) -> Period:
        """Return the `length` days that end with the day of `now`."""
        return cls(tuple(now.date() - timedelta(days=back) for back in reversed(range(length))))

    def since(self, now: datetime) -> datetime:
        """Return the moment at which the period begins, in the zone of `now`."""
        return datetime.combine(self.days[0], datetime.min.time(), now.tzinfo)


@dataclass(frozen=True)
class Statistics:
    """Figures of the jobs of some projects in a period."""

    call: Call
    projects: Sequence[Project]
    period: Period

    def runs(self) -> PerDay:
        """Return how many jobs there were per day, by state."""
        day = func.date(Job.heartbeat_at)
        query = select(day, Job.state, func.count()).where(*self._jobs()).group_by(day, Job.state)
        return self._spread(tuple(JobState), query)

    def coverage(self) -> PerDay:
        """Return how many columns were transformed, dropped and kept per day."""
        day = func.date(Job.heartbeat_at)
        query = select(day, JobColumn.decision, func.count()).join(Job, Job.seq == JobColumn.job_seq)
        query = query.where(*self._jobs()).group_by(day, JobColumn.decision)
        return self._spread(("transformed", "dropped", "kept"), query)

    def values(self) -> list[tuple[str, int]]:
        """Return how many values each technique was given, the most first; null values do not count."""
        techniques = cast(JobColumn.techniques, Text)
        query = select(techniques, func.sum(JobColumn.value_count)).join(Job, Job.seq == JobColumn.job_seq)
        rows = self.call.session.execute(query.where(*self._jobs()).group_by(techniques)).all()
        counts: Counter[str] = Counter()
        for written, count in rows:
            for technique in json.loads(written):
                counts[technique] += int(count)
        return counts.most_common()

    def _jobs(self) -> tuple[ColumnElement[bool], ...]:
        theirs = Job.project_seq.in_([project.seq for project in self.projects])
        return theirs, Job.heartbeat_at >= self.period.since(self.call.now)

    def _spread(self, kinds: Sequence[str], query: object) -> PerDay:
        """Return one count for every day and kind; what the query did not find is 0."""
        found = {(str(day), str(kind)): count for day, kind, count in self.call.session.execute(query)}  # type: ignore[call-overload]
        return {kind: [found.get((day.isoformat(), kind), 0) for day in self.period.days] for kind in kinds}
