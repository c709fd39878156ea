"""What a job of another scheduler is, in one form for all of them, and the fields that their answers are read by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_LONGEST = 300


class ExternalState(StrEnum):
    """States of a job elsewhere.

    ``ended`` is an end of which the scheduler does not say whether it was a good one; ``unknown`` is a word that it
    does not have in its documentation, or a job that it does not list any more.
    """

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ENDED = "ended"
    UNKNOWN = "unknown"

    @property
    def active(self) -> bool:
        """Whether the job waits or runs."""
        return self in (ExternalState.WAITING, ExternalState.RUNNING)


@dataclass(frozen=True)
class ExternalProgress:
    """How far a job is; None where the scheduler does not tell.

    Args:
        percent: 0 to 100, as the scheduler sees it.
        tasks_done, tasks_total, stages_done, stages_total: over the stages that are known so far.
        executors: that live now. queries: of Spark SQL, begun so far.
    """

    percent: float | None = None
    tasks_done: int | None = None
    tasks_total: int | None = None
    stages_done: int | None = None
    stages_total: int | None = None
    executors: int | None = None
    queries: int | None = None


@dataclass(frozen=True)
class ExternalJob:
    """A job of another scheduler.

    Args:
        id: what the scheduler finds it by.
        name: for people.
        user: who runs it; None where the scheduler does not tell.
        state: in our words. word: in the scheduler's.
        spark: it is work of Spark. What cannot be told from other work counts as Spark's, so that nothing is hidden.
        application_id: of the Spark application, which our own jobs are found by; None where there is none yet.
        started, finished: in UTC; None where it has not, or it is not told.
        queue: or pool, or namespace.
        tags: of the scheduler, labels as ``name=value``.
        tracking_url: without user, password, query and fragment.
    """

    id: str
    name: str
    user: str | None
    state: ExternalState
    word: str
    spark: bool = True
    application_id: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    queue: str | None = None
    tags: tuple[str, ...] = ()
    tracking_url: str | None = None
    progress: ExternalProgress = ExternalProgress()


class Reading(BaseModel):
    """A part of a scheduler's answer; fields that are not read may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


def _one_line(text: str) -> str:
    """Return text that can neither move a cursor nor forge a line of a log."""
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST])


def _from_epoch(per_second: int, value: object) -> datetime | None:
    """Return a moment; None for 0, -1 and the like, which stand for `not yet`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a time")
    try:
        return datetime.fromtimestamp(value / per_second, UTC) if value > 0 else None
    except (OverflowError, OSError, ValueError):
        raise ValueError("not a time") from None


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _linkable(url: str | None) -> str | None:
    """Return an address to follow, or None where it is none; secrets stand in what is left out."""
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    place = f"[{host}]" if ":" in host else host
    return _one_line(f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path}")


Line = Annotated[str, AfterValidator(_one_line)]
"""Text of somebody else, in one line of at most 300 characters."""

Id = Annotated[str, Field(min_length=1, max_length=_LONGEST, pattern=r"^[^\x00-\x20\x7f]+$")]
"""What a scheduler finds a job by: never shortened, so one that is too long is refused."""

Millis = Annotated[datetime | None, BeforeValidator(lambda value: _from_epoch(1000, value))]
"""Milliseconds since 1970."""

Seconds = Annotated[datetime | None, BeforeValidator(lambda value: _from_epoch(1, value))]
"""Seconds since 1970."""

Moment = Annotated[datetime | None, AfterValidator(_in_utc)]
"""ISO 8601; UTC where no zone is given."""

Link = Annotated[str | None, AfterValidator(_linkable)]
"""An address to follow, without secrets."""

Count = Annotated[int, Field(ge=0)]


def state_of(word: str, states: Mapping[str, ExternalState]) -> ExternalState:
    """Return the state that a scheduler's word stands for."""
    return states.get(word, ExternalState.UNKNOWN)
