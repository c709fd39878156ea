"""``cape jobs --from``: what runs on another scheduler."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from cape_airflow.cli.output import print_items

if TYPE_CHECKING:
    from pathlib import Path

_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_COLUMNS = ("id", "name", "user", "state", "word", "started", "finished", "queue")


def print_running(schedulers: Path, name: str, since: str, user: str | None, *, as_json: bool) -> None:
    """Print the jobs of a scheduler; the exit code is 3 where it is unreachable.

    Raises:
        SchedulerError: the scheduler refuses, or its settings or its answer make no sense.
        click.UsageError: `since` is no time.
    """
    from cape_airflow.jobs.schedulers import SchedulerUnavailable, open_scheduler

    try:
        found = open_scheduler(schedulers, name).list_jobs(_moment(since), user)
    except SchedulerUnavailable as error:
        raise _Unreachable(str(error)) from None
    print_items(found, _COLUMNS, as_json=as_json)


class _Unreachable(click.ClickException):
    exit_code = 3


def _moment(since: str) -> datetime:
    """Return the moment that ``12h`` or a date stands for; without a zone it is the time of this machine."""
    if ago := _AGO.fullmatch(since):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(since).astimezone()
    except (ValueError, OverflowError):
        raise click.UsageError("--since is so many minutes, hours or days (30m, 12h, 7d), or a date") from None
