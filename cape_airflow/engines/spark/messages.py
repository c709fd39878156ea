"""What an operator and the driver of its Spark application say to each other: one JSON object a line.

    operator                              driver
    Job  ────────────────────────────────▶  opens the session, reads the source's schema
          ◀─────────── Application, Schema
    Orders (plan, keys) ─────────────────▶  writes where nobody looks
          ◀─────────── Status (running ...)
          ◀─────────── Status (written), or Status (failed)

The operator has the last word: it shows what was written, or throws it away. Keys pass through the pipe only, and are
in no argument, environment variable, file or Spark property.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from cape_airflow import errors
from cape_airflow.errors import CapeError, DataError, DatasetError, KeyUnavailable
from cape_airflow.jobs import Progress
from cape_airflow.jobs.report import ColumnCounts
from cape_airflow.keys import Key, KeyRing
from cape_airflow.keys.written import WrittenKey
from cape_airflow.policy import Plan

TABLE = "table"
"""The format of a source or target that is a table of a catalog, not files."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Session(_Message):
    """Which Spark to use; it may hold a token, and is not shown.

    Args:
        master: ``local[2]``, ``spark://...``, ``yarn`` or ``k8s://...``; None for Spark Connect.
        remote: URL of Spark Connect, ``sc://...``; None for classic Spark.
        properties: of Spark.
    """

    master: str | None = None
    remote: str | None = Field(default=None, repr=False)
    properties: Mapping[str, str] = Field(default_factory=dict, repr=False)


class Job(_Message):
    """What is to be read and written.

    Args:
        job_id: 32 lower-case hex digits.
        name: of the application.
        session: which Spark to use.
        source: path, URL or name of a table; None where `build` makes the DataFrame, or the format needs none (jdbc).
        source_format: a format of Spark, or ``table``.
        source_options: of that format.
        target: folder or name of a table.
        target_format: a format of Spark, or ``table``.
        target_options: of that format.
        partition_by: columns of the output.
        mode: ``overwrite``, ``errorifexists`` or, for tables, ``append``.
        build: ``module:function`` or a pickled function: a session in, a DataFrame out; in place of a source.
        after: the same: the de-identified DataFrame in, what is written out.
    """

    job_id: str
    name: str
    session: Session
    source: str | None = None
    source_format: str = "parquet"
    source_options: Mapping[str, str] = Field(default_factory=dict)
    target: str
    target_format: str = "parquet"
    target_options: Mapping[str, str] = Field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    mode: Literal["overwrite", "errorifexists", "append"] = "overwrite"
    build: str | None = Field(default=None, repr=False)
    after: str | None = Field(default=None, repr=False)


class Application(_Message):
    """The Spark application, as far as it has an identity.

    Args:
        id: of the application; of the session, for Spark Connect.
        ui: URL of its pages, without secrets; None where there are none.
    """

    id: str
    ui: str | None = None


class Opened(_Message):
    """The first words of a driver: who it is, and the schema of the data (serialised by Arrow, base64)."""

    application: Application
    schema_: str

    def arrow_schema(self) -> pa.Schema:
        """Return the schema."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema_)))


class Orders(_Message):
    """What is to be done: the plan, and the keys that it names.

    Args:
        plan: as by `Plan.to_dict`.
        keys: by name.
        folder: where the driver, left to itself, keeps its status; None where the operator listens.
    """

    plan: dict[str, Any]
    keys: Mapping[str, WrittenKey] = Field(repr=False)
    folder: str | None = None

    @classmethod
    def of(cls, plan: Plan, keys: KeyRing, folder: str | None = None) -> Self:
        """Return the orders to run a plan with just the keys that it names.

        Raises:
            KeyUnavailable: one of them cannot be had, or may not be used so.
        """
        plan.check_keys(keys)
        needed = (keys.get(name) for name in plan.key_names)
        written = {key.name: WrittenKey.of(key) for key in needed}
        return cls(plan=plan.to_dict(), keys=written, folder=folder)

    def key_ring(self) -> KeyRing:
        """Return the keys, as engines take them."""
        return KeyRing(GivenKeys(self.keys))


class GivenKeys:
    """KeyProvider of the keys that the operator handed over."""

    def __init__(self, keys: Mapping[str, WrittenKey]) -> None:
        self._keys = keys

    def get(self, name: str) -> Key | None:
        """Return the key, or None where it was not handed over."""
        written = self._keys.get(name)
        return written.key(name) if written else None

    def names(self) -> tuple[str, ...]:
        """Return the names of the keys that were handed over."""
        return tuple(self._keys)


class Failure(_Message):
    """How a driver failed: the class of the error; its words only where the error is ours and holds no value."""

    kind: str
    words: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Return what may be told of an error: of Spark's, the name of the condition."""
        from pyspark.errors import PySparkException

        words = str(error) if isinstance(error, CapeError) else ""
        if isinstance(error, PySparkException):
            words = error.getCondition() or ""
        return cls(kind=type(error).__name__, words=words)

    def raised(self, log: str) -> CapeError:
        """Return the error that the operator raises: of the same class where it is ours.

        Args:
            log: where the driver's own words are, for whoever may read them.
        """
        kind = getattr(errors, self.kind, CapeError)
        if issubclass(kind, DataError | KeyUnavailable) and kind is not DataError:
            return kind(self.words)
        if issubclass(getattr(errors, self.kind, Exception), CapeError):
            return DatasetError(f"{self.words}; see {log}")  # Spark's failures may pass: of a kind that is tried again
        return DatasetError(f"Spark's driver failed: {self.kind} {self.words}; see {log}, which may hold values")


class Status(_Message):
    """How far a driver is.

    Args:
        state: ``written`` means complete, and not yet shown; for a table it is in the table.
        progress: rows as far as they are known.
        stages: Spark's own words for how far it is, for people.
        columns: what became of each column, in the end.
        staged: the hidden folder with the output; None for a table.
        failure: why it failed.
    """

    state: Literal["running", "written", "failed"] = "running"
    application: Application | None = None
    progress: Progress = Progress()
    stages: str = ""
    columns: tuple[ColumnCounts, ...] = ()
    staged: str | None = None
    failure: Failure | None = None
