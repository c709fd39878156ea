"""Attempts of one job: which is the newest, so that a task that Airflow gave up for dead shows nothing any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cape_airflow.errors import Superseded
from cape_airflow.jobs.report import JobStart


def refuse_superseded(start: JobStart, origin: Mapping[str, str], started_at: datetime) -> None:
    """Refuse to go on where another attempt of the job is newer: by its try, and of equal tries by its start.

    Args:
        start: of this attempt.
        origin: of the attempt that the coordinator knows.
        started_at: when that one began, on the clock of its worker.

    Raises:
        Superseded: the other one is newer.
    """
    ours, other = _try(start.origin), _try(origin)
    if (other, started_at) > (ours, start.started_at):
        raise Superseded(
            f"another attempt of job {start.job_id} has begun (try {other}, this one is try {ours}): "
            "this one writes nothing"
        )


def _try(origin: Mapping[str, str]) -> int:
    number = origin.get("try_number", "")
    return int(number) if number.isascii() and number.isdigit() else 0
