"""The driver program, ``python -m cape_airflow.engines.spark.job FOLDER``: one plan over one DataFrame.

Started by `CapeSparkOperator`, which it talks to through its standard input and output (see `messages`). What Spark
prints goes to standard error. It ends without output when the operator does, on SIGTERM, and on any failure.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cape_airflow.engines.failures import attempt
from cape_airflow.engines.spark.application import application_of, cancel, open_session
from cape_airflow.engines.spark.commit import Staged, refuse_existing
from cape_airflow.engines.spark.counts import Counts, counted
from cape_airflow.engines.spark.desk import Desk
from cape_airflow.engines.spark.failures import own_errors
from cape_airflow.engines.spark.functions import user_function
from cape_airflow.engines.spark.guarantees import check_guarantees, refuse_unstable_guarantees
from cape_airflow.engines.spark.messages import TABLE, Failure, Job, Opened, Orders, Status
from cape_airflow.engines.spark.monitor import Monitor, telling
from cape_airflow.engines.spark.types import arrow_schema
from cape_airflow.errors import DataError
from cape_airflow.jobs import Progress
from cape_airflow.policy import Plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

KILL_SECONDS = 10.0
_READ_BACK = ("parquet", "orc")
"""Formats that give back just what was written, so that guarantees can be checked on it."""


def main() -> None:
    """Do the job that comes through standard input; exit with 0 once it is written."""
    desk = Desk(sys.stdin, _apart_from_prints())
    ending = _Ending()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=ending.stop).start())
    status = Status(state="failed")
    try:
        job = desk.job()
        with own_errors():
            spark = open_session(job.session, job.name, Path(sys.argv[1]))
        ending.spark = spark
        status = run(job, spark, desk, ending.stop)
    except BaseException as error:  # noqa: BLE001 - the operator is told its class, and raises it again
        traceback.print_exc()  # where Spark prints: a file of the owner's, since it may hold values
        status = Status(state="failed", failure=Failure.of(error))
    ending.report(desk, status)


def run(job: Job, spark: SparkSession, desk: Desk, stop: Callable[[], None]) -> Status:
    """Apply the plan that the operator orders, and write its output where nobody looks; or into a table.

    Args:
        job: what to read and write.
        spark: a session of classic Spark or Spark Connect.
        desk: where orders come from.
        stop: to be called when the operator is gone.

    Raises:
        CapeError: policy, keys, data or storage are not as they must be; nothing is to be seen of the output.
    """
    application = application_of(spark)
    frame = _input(job, spark)
    orders = desk.orders(Opened(application=application, schema_=_schema_text(frame)))
    desk.watch(stop)
    monitor = Monitor(spark, application)
    with telling(monitor, desk.tell):
        status = _Run(job, orders, frame).status()
    progress = status.progress.model_copy(update={"seconds": monitor.seconds})
    return status.model_copy(update={"application": application, "progress": progress})


class _Run:
    """One plan over one DataFrame."""

    def __init__(self, job: Job, orders: Orders, frame: DataFrame) -> None:
        self._job = job
        self._plan = Plan.from_dict(orders.plan)
        self._keys = orders.key_ring()
        self._frame = frame

    def status(self) -> Status:
        with own_errors():
            output, counts = counted(self._plan, self._keys, self._frame)
            if not self._checks_what_was_written:
                refuse_unstable_guarantees(self._plan)
                check_guarantees(self._plan, output)
            if self._job.after is not None:
                output = _called(self._job.after, "after", output)
            return (
                self._to_table(output, counts) if self._job.target_format == TABLE else self._to_files(output, counts)
            )

    @property
    def _checks_what_was_written(self) -> bool:
        return self._job.target_format in _READ_BACK and self._job.after is None

    def _to_table(self, output: DataFrame, counts: Counts) -> Status:
        self._writer(output).mode(self._job.mode).saveAsTable(self._job.target)
        return self._written(counts, 0, None)

    def _to_files(self, output: DataFrame, counts: Counts) -> Status:
        if self._job.mode == "errorifexists":
            refuse_existing(self._job.target)
        staged = Staged(self._job.target, self._job.job_id)
        folder = staged.begin()
        try:
            writer = self._writer(output).format(self._job.target_format)
            writer.mode("append").save(folder.as_uri())
            if self._checks_what_was_written:
                spark = output.sparkSession
                check_guarantees(self._plan, spark.read.format(self._job.target_format).load(folder.as_uri()))
            rows = counts.rows_out if self._job.after is None else None
            size = staged.complete(self._plan.policy_digest, rows)
        except BaseException:
            staged.discard()
            raise
        return self._written(counts, size, str(folder))

    def _writer(self, output: DataFrame) -> DataFrameWriter:
        return output.write.partitionBy(*self._job.partition_by).options(**self._job.target_options)

    def _written(self, counts: Counts, size: int, staged: str | None) -> Status:
        progress = Progress(rows_in=counts.rows_in or 0, rows_out=counts.rows_out, bytes_out=size)
        return Status(state="written", progress=progress, columns=counts.columns, staged=staged)


class _Ending:
    """How the driver ends: by itself, or because it was told to stop."""

    def __init__(self) -> None:
        self.spark: SparkSession | None = None
        self._stopped = False

    def stop(self) -> None:
        """Cancel what runs, so that the main thread comes back and cleans up; or end at once."""
        self._stopped = True
        killer = threading.Timer(KILL_SECONDS, os._exit, (143,))
        killer.daemon = True
        killer.start()
        if self.spark is None:
            os._exit(143)
        cancel(self.spark)

    def report(self, desk: Desk, status: Status) -> None:
        if self.spark is not None and not self._stopped:
            self.spark.stop()
        try:
            desk.tell(status)
        finally:  # the operator may be gone; threads of Spark's client would keep the process
            sys.stderr.flush()
            os._exit(0 if status.state == "written" else 1)


def _input(job: Job, spark: SparkSession) -> DataFrame:
    with own_errors():
        if job.build is not None:
            return _called(job.build, "build", spark)
        if job.source_format == TABLE and job.source is not None:
            return spark.read.options(**job.source_options).table(job.source)
        return spark.read.format(job.source_format).options(**job.source_options).load(job.source)


def _called(function: str, name: str, argument: Any) -> DataFrame:
    """Call what the user gave; of an error of his own only the class is told, for its words may hold values."""
    from pyspark.errors import PySparkException

    def call() -> Any:
        try:
            return user_function(function)(argument)
        except PySparkException as error:
            return error

    made = attempt(call, name, "your function")
    if isinstance(made, PySparkException):
        raise made
    if not hasattr(made, "mapInArrow"):
        raise DataError(f"{name} is to return a DataFrame of Spark, and returned a {type(made).__name__}")
    return made  # type: ignore[no-any-return]  # of either of Spark's two classes


def _schema_text(frame: DataFrame) -> str:
    return base64.b64encode(arrow_schema(frame.schema).serialize()).decode("ascii")


def _apart_from_prints() -> TextIO:
    """Return standard output for messages, and send all that is printed to standard error."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return channel


if __name__ == "__main__":
    main()
