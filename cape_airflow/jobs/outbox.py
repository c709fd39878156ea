"""Reports of jobs that survive a coordinator which cannot be reached.

A report (how a job started, how it ended) that cannot be delivered is written to a folder, delivered with a later one,
and deleted when the coordinator has taken it. Rules:

- The reports of one job arrive in order; of those that wait, the oldest goes first.
- Any number of processes may share the folder. Whoever delivers a kept report holds a lock on its file, which ends with
  the process, so that nothing waits for a process that died.
- A report that the coordinator refuses for what it says is never sent again; a kept one is moved to ``refused/``.
  Whatever else stands in its way may pass, and it waits: no answer, one that makes no sense, one that blames the token,
  or a project that cannot be found. The last two hold up no other job, but for a token that is not known at all.
- A folder for each coordinator and token id, so that no report goes to another coordinator or in another's name. The
  files hold no token and no value.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from cape_airflow.errors import CapeError, CoordinatorError, CoordinatorRefused, CoordinatorUnavailable, NotApproved
from cape_airflow.jobs.report import JobFinish, JobStart
from cape_airflow.jobs.spool import (
    Courier,
    Report,
    addressees,
    folder_of,
    held,
    job_of,
    keep,
    refused,
    reports_in,
    set_aside,
    waiting,
)

__all__ = ["Courier", "Delivery", "Outbox", "addressees", "refused", "waiting"]

log = logging.getLogger(__name__)

# What the coordinator says of the report itself, so that no other time and no other token would help.
_FINAL = frozenset({"bad-json", "credentials", "invalid", "job-finished", "too-large"})


@dataclass(frozen=True)
class Delivery:
    """What became of the reports in the folder.

    Args:
        delivered: how many the coordinator took.
        waiting: how many are left for the next time, or are being delivered by another process.
        refused: why reports were refused, one each; they lie in ``refused/`` now.
        trouble: why some are left; None where nothing stood in the way.
        elsewhere: how many reports wait for whom else, another coordinator or another token.
    """

    delivered: int
    waiting: int
    refused: tuple[str, ...] = ()
    trouble: str | None = None
    elsewhere: Mapping[str, int] = field(default_factory=dict)


class Outbox:
    """The reports to one coordinator under one token.

    Args:
        folder: of everybody's reports; made, with mode 0700, where a report has to be kept.
        courier: whose coordinator and token they are for.
        token_id: of another token, e.g. one that has expired, whose reports the courier is to deliver.
    """

    def __init__(self, folder: Path, courier: Courier, token_id: str | None = None) -> None:
        self._outbox = folder
        self._folder = folder_of(folder, courier.base_url, token_id or courier.token_id)
        self._courier = courier

    def start_job(self, project: str, start: JobStart) -> bool:
        """Report that a job starts; True where it arrived, False where it is kept for later.

        Raises:
            NotApproved: the policy is not approved in the project.
            CoordinatorRefused: the coordinator refuses this report.
            CoordinatorUnavailable: it did not arrive, and could not be kept either.
            CapeError: the folder cannot be looked into, so that nothing was sent: older reports may wait there.
        """
        return self._report(project, start.job_id, start=start)

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> bool:
        """Report how a job ended; True where it arrived, False where it is kept for later.

        Raises:
            CoordinatorRefused: the coordinator refuses this report.
            CoordinatorUnavailable: it did not arrive, and could not be kept either.
            CapeError: the folder cannot be looked into, so that nothing was sent: older reports may wait there.
        """
        return self._report(project, job_id, finish=finish)

    def flush(self) -> Delivery:
        """Deliver what waits."""
        round_ = self._walk()
        elsewhere = addressees(path for path in waiting(self._outbox) if path.parent != self._folder)
        reasons = tuple(str(error) for error in round_.refused.values())
        return Delivery(round_.delivered, len(reports_in(self._folder)), reasons, round_.trouble, elsewhere)

    def _report(self, project: str, job_id: str, **event: JobStart | JobFinish) -> bool:
        addressee = {"coordinator": self._courier.base_url, "token_id": self._courier.token_id}
        report = Report.model_validate({**addressee, "project": project, "job_id": job_id, **event})
        if any(job_of(path) == job_id for path in reports_in(self._folder)):
            return self._deliver_behind_others(report)
        try:
            report.send(self._courier)
        except (CoordinatorError, NotApproved) as error:
            if _final(error):
                raise
            self._keep(report, str(error))
            return False
        self._deliver_kept()
        return True

    def _deliver_behind_others(self, report: Report) -> bool:
        """Deliver a report after the older ones of its job, which another process may hold."""
        path = self._keep(report, "older reports of the job wait")
        round_ = self._deliver_kept()
        if path in round_.refused:
            raise round_.refused[path]
        return not path.exists()

    def _deliver_kept(self) -> _Round:
        round_ = self._walk()
        for error in round_.refused.values():
            log.warning("a report that was kept is refused for good: %s", error)
        return round_

    def _walk(self) -> _Round:
        round_ = _Round(self._folder, self._courier)
        round_.deliver()
        return round_

    def _keep(self, report: Report, reason: str) -> Path:
        try:
            path = keep(self._folder, report)
        except CapeError as error:
            raise CoordinatorUnavailable(
                f"a report of job {report.job_id} did not arrive ({reason}) and is not kept: {error}"
            ) from error
        log.warning("a report of job %s is kept for later: %s", report.job_id, reason)
        return path


class _Round:
    """One walk over the reports to one coordinator under one token."""

    def __init__(self, folder: Path, courier: Courier) -> None:
        self._folder = folder
        self._courier = courier
        self._passed_over: set[str] = set()
        self._goes_on = True
        self.delivered = 0
        self.refused: dict[Path, CapeError] = {}
        self.trouble: str | None = None

    def deliver(self) -> None:
        """Take the oldest report that nobody else holds, until there is none or the coordinator cannot be had."""
        # Listed anew each time: whoever finds a report held relies on its holder to see what was written meanwhile.
        while self._goes_on and (path := self._oldest()) is not None:
            try:
                with held(path) as content:
                    self._deliver(path, content)
            except BlockingIOError:
                self._passed_over.add(job_of(path))
            except FileNotFoundError:
                continue  # delivered by another process just now
            except OSError as error:
                self._goes_on = False
                self.trouble = f"cannot use the outbox {self._folder}: {error.strerror}"

    def _oldest(self) -> Path | None:
        return next((path for path in reports_in(self._folder) if job_of(path) not in self._passed_over), None)

    def _deliver(self, path: Path, content: bytes) -> None:
        try:
            Report.model_validate_json(content).send(self._courier)
        except ValidationError:
            self._refuse(path, CapeError(f"{path.name} in the outbox is not a report"))
        except (CoordinatorError, NotApproved) as error:
            if _final(error):
                self._refuse(path, error)
            else:
                self._pass_over(path, error)
        else:
            path.unlink()
            self.delivered += 1

    def _pass_over(self, path: Path, error: CapeError) -> None:
        self._passed_over.add(job_of(path))
        self._goes_on = isinstance(error, CoordinatorRefused) and error.status != 401
        self.trouble = self.trouble or str(error)

    def _refuse(self, path: Path, error: CapeError) -> None:
        set_aside(path)
        self.refused[path] = error


def _final(error: CapeError) -> bool:
    return isinstance(error, NotApproved) or (isinstance(error, CoordinatorRefused) and error.code in _FINAL)
