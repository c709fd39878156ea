"""What is told about one run of a Plan: states, counts and times; never a value."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class JobState(StrEnum):
    """States of a job; the last two are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnCounts(_Message):
    """What one input column got.

    Args:
        name: the input column.
        techniques: policy types in the order applied; empty where the column was kept; a dropped column ends with
            ``suppress-attribute``.
        values: non-null values that went in, over the rows that came out.
        nulls: null values that came out.
    """

    name: str
    techniques: tuple[str, ...] = ()
    decision: str
    values: Count = 0
    nulls: Count = 0


class Progress(_Message):
    """How far a job is; sent as its heartbeat.

    Args:
        rows_in: rows read so far. rows_out: rows written so far.
        bytes_in, bytes_out: bytes of the files read and written so far, 0 where unknown.
        rows_total: rows of the source, where it is known before reading.
        seconds: wall time since the start.
    """

    rows_in: Count = 0
    rows_out: Count = 0
    bytes_in: Count = 0
    bytes_out: Count = 0
    rows_total: Count | None = None
    seconds: Annotated[float, Field(ge=0)] = 0.0

    def describe(self) -> str:
        """Return how far the job is, in one line for people."""
        total = f" of {self.rows_total:,}" if self.rows_total is not None else ""
        rate = f", {self.rows_in / self.seconds:,.0f} rows/s" if self.seconds else ""
        return f"{self.rows_in:,}{total} rows read, {self.rows_out:,} written{rate}"


class JobStart(_Message):
    """What is known when a job starts. Starting the same `job_id` again is a new attempt of the same job.

    Args:
        job_id: chosen by the client: 32 lower-case hex digits; the same for every retry of one task run.
        policy_digest: 64 lower-case hex digits.
        source, target: names or URLs, without credentials.
        origin: where it runs, e.g. dag_id, run_id, task_id, map_index, try_number.
    """

    job_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    policy_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    engine: str
    kernels: str
    source: str
    target: str
    started_at: datetime
    origin: dict[str, str] = Field(default_factory=dict)


class JobFinish(_Message):
    """How a job ended.

    Args:
        error: the class name of the error and its message (which never holds a value); None on success.
        warnings: what the operator should know, e.g. a random key.
    """

    state: JobState
    progress: Progress
    columns: tuple[ColumnCounts, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    finished_at: datetime
