"""Telling of a run: to the task log, and to the coordinator where the run belongs to a project."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cape_airflow.engines import failed
from cape_airflow.errors import CapeError, CoordinatorError, Superseded
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.jobs import JobFinish, JobStart, Progress

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

_EVERY_SECONDS = 10.0


class Reporter:
    """What the task log, and the coordinator of a project, hear of one run.

    Args:
        start: what is known at its start.
        log: the task's logger.
        hook: the coordinator; None where none is to hear of it.
        project: label; of no meaning without a hook.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        start: JobStart,
        log: Logger,
        hook: CapeHook | None = None,
        project: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._log = log
        self._hook = hook
        self._project = project
        self._clock = clock
        self._due = clock() + _EVERY_SECONDS
        self._progress = Progress()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Report the start, and the failure where the body raises; success is for the caller to report."""
        self.begin()
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def begin(self) -> None:
        """Report the start."""
        if self._hook:
            self._hook.start_job(self._project, self._start)
            self._log.info(
                "Job %s: %s (cape jobs get %s %s)",
                self._start.job_id,
                self._hook.job_url(self._project, self._start.job_id),
                self._project,
                self._start.job_id,
            )

    def fail(self, error: BaseException) -> None:
        """Report that the run failed; that this could not be reported only is a warning: what failed first counts.

        An attempt that another has overtaken says nothing: the job is the other's, which may yet succeed.
        """
        if isinstance(error, Superseded) or (self._hook and self._hook.overtaken(self._project, self._start)):
            self._log.info("Job %s goes on in a later attempt; the end of this one is not reported", self._start.job_id)
            return
        self._finish(failed(self._progress, error), required=False)

    def progress(self, progress: Progress, words: str = "") -> None:
        """Log how far the run is, with further words, and send it as a heartbeat, every ten seconds."""
        self._progress = progress
        if self._clock() < self._due:
            return
        self._log.info("%s", "; ".join(filter(None, (progress.describe(), words))))
        self._heartbeat(progress)
        self._due = self._clock() + _EVERY_SECONDS

    def finish(self, finish: JobFinish) -> None:
        """Log and report a success. Its output is there by now: that it could not be reported only is a warning.

        Raises:
            CapeError: it could not be reported, and the hook requires that.
        """
        self._finish(finish, required=self._hook is not None and self._hook.require_report)

    def _finish(self, finish: JobFinish, *, required: bool) -> None:
        self._log.info("Job %s %s: %s", self._start.job_id, finish.state, finish.progress.describe())
        if not self._hook:
            return
        try:
            self._hook.finish_job(self._project, self._start.job_id, finish)
        except CapeError as error:
            if required:
                raise
            self._log.warning("That the job %s could not be reported: %s", finish.state, error)

    def _heartbeat(self, progress: Progress) -> None:
        if not self._hook:
            return
        try:
            self._hook.heartbeat(self._project, self._start.job_id, progress)
        except CoordinatorError as error:  # the end is reported for certain; this only shows it coming
            self._log.warning("The coordinator did not take the heartbeat: %s", error)
