"""The interface to a scheduler that is not ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from cape_airflow.jobs.schedulers.external import ExternalJob
from cape_airflow.jobs.schedulers.rest import Rest

_NO_TIME = datetime.max.replace(tzinfo=UTC)


class Scheduler(ABC):
    """Tells what runs, and stops it where that can be done. Nothing is remembered between calls.

    All calls raise SchedulerUnavailable where there is no answer, and SchedulerError for any other trouble.

    Args:
        rest: how to reach it.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    @property
    def name(self) -> str:
        """What it is called in the configuration."""
        return self._rest.name

    def list_jobs(
        self, since: datetime | None = None, user: str | None = None, tags: Collection[str] = ()
    ) -> tuple[ExternalJob, ...]:
        """Return its jobs, the newest first.

        Args:
            since: leave out those that had ended before.
            user: only those of this user.
            tags: only those that have all of these.
        """
        # One that ends while we ask may come twice; the later answer counts.
        listed = {job.id: job for job in self._listed(since)}
        wanted = (
            job
            for job in listed.values()
            if (since is None or job.finished is None or job.finished >= since)
            and (user is None or job.user == user)
            and set(tags) <= set(job.tags)
        )
        return tuple(sorted(wanted, key=lambda job: (job.started or _NO_TIME, job.id), reverse=True))

    @abstractmethod
    def get(self, job_id: str) -> ExternalJob:
        """Return one job, with all that the scheduler tells of its progress.

        Raises:
            JobMissing: it knows no such job, or not any more.
        """

    @abstractmethod
    def cancel(self, job_id: str) -> None:
        """Ask it to stop a job, and return when it has said yes; `get` tells what became of it.

        Raises:
            JobMissing: it knows no such job, or not any more.
            SchedulerError: it does not stop jobs for others.
        """

    @abstractmethod
    def _listed(self, since: datetime | None) -> Iterable[ExternalJob]:
        """Return at least the jobs that had not ended before `since`; active ones first where it asks twice."""
