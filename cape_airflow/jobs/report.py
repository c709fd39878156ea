"""What is told about one run of a Plan: states, counts and times; never a value."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Count = Annotated[int, Field(ge=0)]


class JobState(StrEnum):
    """States of a job; the last two are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


ApplicationId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}$")]
"""What schedulers call an application of Spark, e.g. ``application_1795262400000_0001``."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OfApplication(_Message):
    """A report that may say which application does the work; without one it looks as it did before there were any."""

    application_id: ApplicationId | None = None

    @model_serializer(mode="wrap")
    def _without_absent_application(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.application_id is None:
            written.pop("application_id", None)
        return written

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the fields, which the serializer hides from the description of answers."""
        bare = {name: part for name, part in schema.items() if name != "serialization"}
        return handler(cast("CoreSchema", bare))


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


class Progress(_OfApplication):
    """How far a job is; sent as its heartbeat.

    Args:
        rows_in: rows read so far. rows_out: rows written so far.
        bytes_in, bytes_out: bytes of the files read and written so far, 0 where unknown.
        rows_total: rows of the source, where it is known before reading.
        seconds: wall time since the start.
        application_id: of the Spark application that does the work, from when it is known; every attempt may have its
            own, and the coordinator remembers all of them.
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


class JobStart(_OfApplication):
    """What is known when a job starts. Starting the same `job_id` again is a new attempt of the same job.

    Args:
        job_id: chosen by the client: 32 lower-case hex digits; the same for every retry of one task run.
        policy_digest: 64 lower-case hex digits.
        source, target: names or URLs, without credentials.
        origin: where it runs, e.g. dag_id, run_id, task_id, map_index, try_number.
        application_id: of the Spark application that does the work, where it is known already; else `Progress` says it.
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
