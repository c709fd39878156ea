"""The driver of a Spark application as a process of its own, seen from the task that starts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cape_airflow.errors import CapeError, DatasetError

if TYPE_CHECKING:
    from cape_airflow.engines.spark.messages import Job, Opened, Orders, Status

LOG = "driver.log"
"""What Spark prints. It may hold values of the data, so that it is its owner's only, and not part of the task log."""

STOP_SECONDS = 15.0
_NOT_FOR_SPARK = ("AIRFLOW_", "_AIRFLOW_", "__AIRFLOW_", "CAPE_")
_FOR_KERNELS = {"CAPE_KERNELS", "CAPE_NATIVE_ISA"}
_LEFT_ALONE: list[subprocess.Popen[str]] = []
"""Drivers that live on: without a reference Python would complain of them."""


class Driver:
    """A driver program that is running; a context manager: it does not outlive its context, unless it was detached.

    Args:
        folder: private to its owner, for its log; where it is detached, for its status.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._detached = self._succeeded = False
        with os.fdopen(os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, in the same Python
                [sys.executable, "-m", "cape_airflow.engines.spark.job", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                cwd=folder,
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )

    def open(self, job: Job) -> Opened:
        """Tell the driver what to read; return what it found.

        Raises:
            CapeError: it could not open Spark, or the source.
        """
        from cape_airflow.engines.spark.messages import Opened, Status

        self._send(job.model_dump_json())
        line = self._receive()
        if '"schema_"' in line:
            return Opened.model_validate_json(line)
        raise self._failure(Status.model_validate_json(line))

    def order(self, orders: Orders) -> None:
        """Hand over the plan and its keys; the work begins."""
        self._send(orders.model_dump_json())

    def statuses(self) -> Iterator[Status]:
        """Yield how far it is, until it has written all.

        Raises:
            CapeError: it failed, or ended without a word.
        """
        from cape_airflow.engines.spark.messages import Status

        while True:
            status = Status.model_validate_json(self._receive())
            if status.state == "failed":
                raise self._failure(status)
            yield status
            if status.state == "written":
                self._succeeded = True
                return

    def stop(self) -> None:
        """Ask it to end without output; can be called from a signal handler."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def detach(self) -> None:
        """Leave it to itself; it tells its status in the folder.

        Raises:
            CapeError: it ended before it could.
        """
        from cape_airflow.engines.spark.desk import STATUS

        deadline = time.monotonic() + STOP_SECONDS
        while not (self.folder / STATUS).exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._silent()
            time.sleep(0.05)
        self._detached = True
        _LEFT_ALONE.append(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # closing flushes, and the other end may be gone
                    pipe.close()
        if not self._detached:
            self._end()
            clear(self.folder, keep_log=not self._succeeded)

    def _end(self) -> None:
        """Wait for the end, which comes by itself once the pipe is closed; then kill what is left of the group."""
        with suppress(subprocess.TimeoutExpired):  # then it is killed
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):  # nothing is left of it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: it was asked for
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._silent() from None

    def _receive(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it was asked for
        line = self._process.stdout.readline()
        if not line:
            raise self._silent()
        return line

    def _failure(self, status: Status) -> CapeError:
        if status.failure is None:
            return self._silent()
        return status.failure.raised(str(self.folder / LOG))

    def _silent(self) -> DatasetError:
        return DatasetError(f"Spark's driver ended without a word; see {self.folder / LOG}, which may hold values")


def private_folder() -> Path:
    """Return a new folder for one driver, on the disk of this worker."""
    return Path(tempfile.mkdtemp(prefix="cape-spark-"))


def clear(folder: Path, *, keep_log: bool) -> None:
    """Remove what a driver left; on failure, all but its log."""
    if not keep_log:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name != LOG:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Return the environment without what belongs to Airflow and to keys: Spark is told neither."""
    return {
        name: value for name, value in os.environ.items() if name in _FOR_KERNELS or not name.startswith(_NOT_FOR_SPARK)
    }
