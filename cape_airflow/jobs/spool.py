"""Reports as files: ``<addressee>/<moment>-<job>.json``, and ``refused/`` beside those that wait."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from cape_airflow.errors import CapeError
from cape_airflow.jobs.report import JobFinish, JobStart
from cape_airflow.keys.private_file import write_private

_REFUSED = "refused"
_NAME = re.compile(r"([0-9]{20})-([0-9a-f]{32})\.json")


class Courier(Protocol):
    """Who brings reports to a coordinator: a `CoordinatorClient`."""

    @property
    def base_url(self) -> str:
        """Which coordinator it is."""

    @property
    def token_id(self) -> str:
        """In whose name it reports; nothing secret."""

    def start_job(self, project: str, start: JobStart) -> object:
        """Report a start."""

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> object:
        """Report an end."""


class Report(BaseModel):
    """A report as it lies in the folder: of a start, or of an end."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    coordinator: str
    token_id: str
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


def folder_of(outbox: Path, coordinator: str, token_id: str) -> Path:
    """Return the folder of the reports to one coordinator under one token."""
    return outbox / hashlib.sha256(f"{coordinator}\n{token_id}".encode()).hexdigest()[:16]


def keep(folder: Path, report: Report) -> Path:
    """Write a report under a name that sorts after all that lie there, whatever the clock says.

    Raises:
        CapeError: it cannot be written.
    """
    latest = max((int(path.name[:20]) for path in reports_in(folder)), default=0)
    path = folder / f"{max(time.time_ns(), latest + 1):020d}-{report.job_id}.json"
    write_private(path, report.model_dump_json().encode())
    return path


def set_aside(path: Path) -> None:
    """Move a report to those that were refused."""
    aside = path.parent / _REFUSED
    aside.mkdir(mode=0o700, exist_ok=True)
    path.replace(aside / path.name)


@contextmanager
def held(path: Path) -> Iterator[bytes]:
    """Hold a report; BlockingIOError where another process does, FileNotFoundError where it is gone."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():
            raise FileNotFoundError(path)
        yield file.read()


def reports_in(folder: Path) -> list[Path]:
    """Return the reports that wait in the folder of one coordinator and token, oldest first.

    Raises:
        CapeError: nobody can say whether some wait, e.g. where the folder belongs to another user.
    """
    try:
        return _in_order(folder / name for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        way_out = "let this user read it, or name another one ([cape] outbox in Airflow, else $CAPE_OUTBOX)"
        raise CapeError(f"cannot look into the outbox {folder.parent}: {error.strerror}; {way_out}") from None


def waiting(outbox: Path) -> list[Path]:
    """Return the reports that wait in an outbox, for whomever, oldest first."""
    return _in_order(outbox.glob("*/*.json"))


def refused(outbox: Path) -> list[Path]:
    """Return the reports in an outbox that coordinators refused, oldest first."""
    return _in_order(outbox.glob(f"*/{_REFUSED}/*.json"))


def job_of(path: Path) -> str:
    """Return the id of the job that a report is about."""
    return path.stem[21:]


def addressees(reports: Iterable[Path]) -> Counter[str]:
    """Return for whom reports wait, and how many for each."""
    return Counter(_addressee(path) for path in reports)


def _addressee(path: Path) -> str:
    try:
        report = Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return f"nobody known, in {path.parent}"
    return f"{report.coordinator} with token {report.token_id}"


def _in_order(found: Iterable[Path]) -> list[Path]:
    return sorted((path for path in found if _NAME.fullmatch(path.name)), key=lambda path: path.name)
