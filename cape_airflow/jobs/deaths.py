"""The end of a job whose task died: told by who noticed it, and taken back by the task where that lives after all."""

from __future__ import annotations

from datetime import datetime

from cape_airflow.jobs.report import JobFinish, JobState, Progress

_DIED = "TaskDied: "


def presumed_failure(progress: Progress, finished_at: datetime) -> JobFinish:
    """Return the end of a job that Airflow says has ended, while its task has not told how.

    Args:
        progress: the last that the task told.
        finished_at: now.
    """
    words = "Airflow says that the task failed, and the task did not tell its end: killed, or out of memory"
    return JobFinish(state=JobState.FAILED, progress=progress, error=_DIED + words, finished_at=finished_at)


def is_presumed(error: str | None) -> bool:
    """Return whether a job with this error ended by `presumed_failure`: its task's own word replaces that."""
    return error is not None and error.startswith(_DIED)
