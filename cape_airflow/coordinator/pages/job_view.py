"""A job as people look at it: how far it is, how fast, what each column got and by which line of the policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from cape_airflow.coordinator.api.jobs import JobAnswer
from cape_airflow.coordinator.applied_rules import AppliedRule, RowRule, applied_rules, row_rules
from cape_airflow.coordinator.pages.amounts import bytes_text, duration_text
from cape_airflow.jobs import ColumnCounts, JobState
from cape_airflow.jobs.deaths import is_presumed
from cape_airflow.policy import Policy

SILENT_AFTER = timedelta(minutes=5)
"""A running job that has said nothing for so long is shown as silent; its worker may be gone."""


@dataclass(frozen=True)
class JobView:
    """What the API says of a job, and what people would work out from it.

    Args:
        now: the moment of the request.
    """

    job: JobAnswer
    now: datetime

    @property
    def running(self) -> bool:
        """Whether it has not finished yet."""
        return self.job.state is JobState.RUNNING

    @property
    def silent(self) -> bool:
        """Whether it runs, and nothing was heard of it for a while."""
        return self.running and self.now - self.job.heartbeat_at > SILENT_AFTER

    @property
    def died(self) -> bool:
        """Whether its task ended without a word, so that others say that it failed."""
        return is_presumed(self.job.error)

    @property
    def duration(self) -> str:
        """How long the newest attempt took, or takes so far, in words."""
        return duration_text(self.job.progress.seconds)

    @property
    def rows_per_second(self) -> float | None:
        """How many rows were read in a second; None before any time has passed."""
        progress = self.job.progress
        return progress.rows_in / progress.seconds if progress.seconds else None

    @property
    def bytes_in(self) -> str:
        """How much was read, in words."""
        return bytes_text(self.job.progress.bytes_in)

    @property
    def bytes_out(self) -> str:
        """How much was written, in words."""
        return bytes_text(self.job.progress.bytes_out)

    @property
    def decisions(self) -> Counter[str]:
        """How many columns were transformed, dropped and kept."""
        return Counter(column.decision for column in self.job.columns)

    @property
    def application_id(self) -> str | None:
        """The Spark application of the newest attempt that named one."""
        return self.job.progress.application_id or self.job.application_id

    @property
    def task(self) -> str | None:
        """Which task of Airflow it is, e.g. ``payroll.deidentify``; None where it is none."""
        origin = self.job.origin
        return f"{origin['dag_id']}.{origin['task_id']}" if {"dag_id", "task_id"} <= origin.keys() else None

    @property
    def map_index(self) -> str | None:
        """Which instance of a mapped task it is; None where the task is not mapped."""
        index = self.job.origin.get("map_index", "")
        return index if index.isdecimal() else None

    @property
    def airflow_url(self) -> str | None:
        """The page of its task in Airflow's UI; None where it did not come from there, or does not say its address."""
        return airflow_url(self.job.origin)


@dataclass(frozen=True)
class ColumnView:
    """What a column got, and the places of the policy that said so."""

    counts: ColumnCounts
    rules: tuple[AppliedRule, ...]


@dataclass(frozen=True)
class PlanView:
    """What the policy of a job did to its columns and rows.

    Args:
        lines: of the policy's text, in order.
    """

    lines: tuple[str, ...]
    columns: tuple[ColumnView, ...]
    rows: tuple[RowRule, ...]

    @classmethod
    def of(cls, policy: Policy, text: str, columns: Iterable[ColumnCounts]) -> PlanView:
        """Return the view of the columns of a job that ran under `policy`, whose text is given."""
        views = tuple(ColumnView(column, applied_rules(policy, column)) for column in columns)
        return cls(tuple(text.splitlines()), views, row_rules(policy))

    @property
    def decisive(self) -> frozenset[int]:
        """The lines that decided on something."""
        of_columns = {rule.line for view in self.columns for rule in view.rules if rule.line is not None}
        return frozenset(of_columns | {rule.line for rule in self.rows})


def airflow_url(origin: Mapping[str, str]) -> str | None:
    """Return the address of a task instance in Airflow 3's UI, where the job's origin names one.

    An origin is what a worker said: only an http or https address without user and password becomes a link.
    """
    try:
        base = urlsplit(origin.get("deployment", ""))
    except ValueError:
        return None
    if base.scheme not in ("http", "https") or not base.hostname or "@" in base.netloc:
        return None
    if not all(origin.get(name) for name in ("dag_id", "run_id", "task_id")):
        return None
    dag, run, task = (quote(origin[name], safe="") for name in ("dag_id", "run_id", "task_id"))
    index = origin.get("map_index", "")
    mapped = f"/mapped/{index}" if index.isdecimal() else ""
    return f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}/dags/{dag}/runs/{run}/tasks/{task}{mapped}"
