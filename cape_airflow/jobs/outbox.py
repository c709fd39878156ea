"""Reports of jobs that survive a coordinator which cannot be reached.

A report (how a job started, how it ended) is first written to a folder and then delivered, and is deleted when the
coordinator has taken it. Rules:

- The reports of one job arrive in order; among jobs, the oldest goes first.
- Any number of processes may share the folder. Whoever delivers a report holds a lock on its file, which ends with the
  process, so that nothing waits for a process that died.
- No answer, or an answer that blames the token, stops the delivery; all is kept for the next time.
- A report that the coordinator refuses for what it says is moved to ``refused/`` and never sent again.
- A folder for each coordinator, so that no report reaches another one. The files hold no token and no value.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from cape_airflow.errors import CapeError, CoordinatorError, CoordinatorRefused, NotApproved
from cape_airflow.jobs.report import JobFinish, JobStart
from cape_airflow.keys.private_file import write_private

_TOKEN_TO_BLAME = (401, 403)
_REFUSED = "refused"
_NAME = re.compile(r"([0-9]{20})-([0-9a-f]{32})\.json")


class Courier(Protocol):
    """Who brings reports to a coordinator: a `CoordinatorClient`."""

    @property
    def base_url(self) -> str:
        """Which coordinator it is."""

    def start_job(self, project: str, start: JobStart) -> None:
        """Report a start."""

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> None:
        """Report an end."""


class Report(BaseModel):
    """A report as it lies in the folder: of a start, or of an end."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    coordinator: str
    project: str
    job_id: str
    start: JobStart | None = None
    finish: JobFinish | None = None

    def send(self, courier: Courier) -> None:
        """Bring it to the coordinator; raises what the courier raises."""
        if self.start is not None:
            courier.start_job(self.project, self.start)
        if self.finish is not None:
            courier.finish_job(self.project, self.job_id, self.finish)


@dataclass(frozen=True)
class Delivery:
    """What became of the reports in the folder.

    Args:
        delivered: how many the coordinator took.
        waiting: how many are left for the next time, or are being delivered by another process.
        refused: why reports were refused, one each; they lie in ``refused/`` now.
        trouble: why the delivery stopped; None where it did not.
    """

    delivered: int
    waiting: int
    refused: tuple[str, ...] = ()
    trouble: str | None = None


class Outbox:
    """The reports to one coordinator.

    Args:
        folder: of all coordinators' reports; made, with mode 0700, where it is missing.
        courier: whose coordinator they are for.
    """

    def __init__(self, folder: Path, courier: Courier) -> None:
        self._folder = folder / hashlib.sha256(courier.base_url.encode()).hexdigest()[:16]
        self._courier = courier

    def start_job(self, project: str, start: JobStart) -> bool:
        """Report that a job starts; True where it arrived, False where it is kept for later.

        Raises:
            NotApproved: the policy is not approved in the project.
            CoordinatorRefused: the coordinator refuses this report.
            CapeError: the folder cannot be written.
        """
        return self._report(
            Report(coordinator=self._courier.base_url, project=project, job_id=start.job_id, start=start)
        )

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> bool:
        """Report how a job ended; True where it arrived, False where it is kept for later.

        Raises:
            CoordinatorRefused: the coordinator refuses this report.
            CapeError: the folder cannot be written.
        """
        return self._report(Report(coordinator=self._courier.base_url, project=project, job_id=job_id, finish=finish))

    def flush(self) -> Delivery:
        """Deliver what waits.

        Raises:
            CapeError: the folder cannot be used.
        """
        round_ = _Round(self._folder, self._courier)
        round_.deliver()
        refused = tuple(str(error) for error in round_.refused.values())
        return Delivery(round_.delivered, len(waiting(self._folder)), refused, round_.trouble)

    def _report(self, report: Report) -> bool:
        path = self._keep(report)
        round_ = _Round(self._folder, self._courier)
        round_.deliver()
        if path in round_.refused:
            raise round_.refused[path]
        return not path.exists()

    def _keep(self, report: Report) -> Path:
        """Write the report under a name that sorts after all that lie there, whatever the clock says."""
        latest = max((int(path.name[:20]) for path in waiting(self._folder)), default=0)
        moment = max(time.time_ns(), latest + 1)
        path = self._folder / f"{moment:020d}-{report.job_id}.json"
        write_private(path, report.model_dump_json().encode())
        return path


class _Round:
    """One walk over the folder."""

    def __init__(self, folder: Path, courier: Courier) -> None:
        self._folder = folder
        self._courier = courier
        self._busy: set[str] = set()
        self.delivered = 0
        self.refused: dict[Path, CapeError] = {}
        self.trouble: str | None = None

    def deliver(self) -> None:
        """Take the oldest report that nobody else holds, until there is none or the coordinator cannot be had."""
        # Listed anew each time: whoever finds a report held relies on its holder to see what was written meanwhile.
        while self.trouble is None and (path := self._oldest()) is not None:
            try:
                with _held(path) as content:
                    self._deliver(path, content)
            except BlockingIOError:
                self._busy.add(_job(path))
            except FileNotFoundError:
                continue  # delivered by another process just now
            except OSError as error:
                raise CapeError(f"cannot use the outbox {self._folder}: {error.strerror}") from None

    def _oldest(self) -> Path | None:
        return next((path for path in waiting(self._folder) if _job(path) not in self._busy), None)

    def _deliver(self, path: Path, content: bytes) -> None:
        try:
            Report.model_validate_json(content).send(self._courier)
        except ValidationError:
            self._refuse(path, CapeError(f"{path.name} in the outbox is not a report"))
        except (CoordinatorError, NotApproved) as error:
            if _final(error):
                self._refuse(path, error)
            else:
                self.trouble = str(error)
        else:
            path.unlink()
            self.delivered += 1

    def _refuse(self, path: Path, error: CapeError) -> None:
        aside = path.parent / _REFUSED
        aside.mkdir(mode=0o700, exist_ok=True)
        path.replace(aside / path.name)
        self.refused[path] = error


def waiting(folder: Path) -> list[Path]:
    """Return the reports that wait in a coordinator's folder, or in those of all coordinators, oldest first."""
    found = [*folder.glob("*.json"), *folder.glob("*/*.json")]
    named = (path for path in found if _NAME.fullmatch(path.name) and path.parent.name != _REFUSED)
    return sorted(named, key=lambda path: path.name)


def refused(folder: Path) -> list[Path]:
    """Return the reports that coordinators refused, oldest first."""
    return sorted(folder.glob(f"**/{_REFUSED}/*.json"), key=lambda path: path.name)


def default_folder() -> Path:
    """Return ``$CAPE_OUTBOX``, or else ``cape/outbox`` in the user's state folder (XDG Base Directory)."""
    if given := os.environ.get("CAPE_OUTBOX"):
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "cape" / "outbox"


def _final(error: CapeError) -> bool:
    """Whether the coordinator refuses the report itself, so that no other time and no other token would help."""
    if isinstance(error, CoordinatorRefused):
        return error.status not in _TOKEN_TO_BLAME
    return isinstance(error, NotApproved)


def _job(path: Path) -> str:
    return path.stem[21:]


@contextmanager
def _held(path: Path) -> Iterator[bytes]:
    """Hold a report; BlockingIOError where another process does, FileNotFoundError where it is gone."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():
            raise FileNotFoundError(path)
        yield file.read()
