"""How far Spark is: stages and tasks by its public trackers, rows by the REST of its pages where they are served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from cape_airflow.engines.spark.application import is_remote
from cape_airflow.engines.spark.messages import Application, Status
from cape_airflow.jobs import Progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TELL_SECONDS = 2.0


class Monitor:
    """Looks at a session, and says how far it is.

    Args:
        spark: the session.
        application: its identity.
    """

    def __init__(self, spark: SparkSession, application: Application) -> None:
        self._spark = spark
        self._application = application
        self._started = time.monotonic()
        self._connect_stages: list[Any] = []
        if is_remote(spark):
            spark.registerProgressHandler(self._on_connect_progress)  # type: ignore[arg-type]  # it is called as one

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self._started

    def status(self) -> Status:
        """Return how far it is now."""
        rows_in, rows_out = self._rows()
        progress = Progress(rows_in=rows_in, rows_out=rows_out, seconds=self.seconds)
        return Status(application=self._application, progress=progress, stages=self._stages())

    def _stages(self) -> str:
        if is_remote(self._spark):
            # A copy: another thread may replace the list.
            infos = [(each.stage_id, each.num_completed_tasks, each.num_tasks) for each in self._connect_stages]
        else:
            tracker = self._spark.sparkContext.statusTracker()
            found = (tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds())
            infos = [(each.stageId, each.numCompletedTasks, each.numTasks) for each in found if each]
        return ", ".join(f"stage {stage}: {done} of {tasks} tasks" for stage, done, tasks in infos)

    def _on_connect_progress(
        self, stages: Iterable[Any] | None, inflight_tasks: int, operation_id: str | None, done: bool
    ) -> None:
        self._connect_stages = [stage for stage in stages or () if not stage.done]

    def _rows(self) -> tuple[int, int]:
        """Return rows read and written by the stages that run; zeros where no page tells them."""
        if self._application.ui is None:
            return 0, 0
        url = f"{self._application.ui}/api/v1/applications/{self._application.id}/stages?status=active"
        try:
            stages = httpx.get(url, timeout=5.0, trust_env=False).raise_for_status().json()
        except (httpx.HTTPError, ValueError):  # this only shows how far it is: the counts of the end come with the data
            return 0, 0
        return (
            sum(int(stage["inputRecords"]) for stage in stages),
            sum(int(stage["outputRecords"]) for stage in stages),
        )


@contextmanager
def telling(monitor: Monitor, tell: Callable[[Status], None]) -> Iterator[None]:
    """Tell every two seconds how far it is, from a thread of its own, while the body runs."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(TELL_SECONDS):
            tell(monitor.status())

    thread = threading.Thread(target=run, name="cape-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
