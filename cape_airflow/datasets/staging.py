"""All or nothing: files that nobody sees before they are complete.

A staging holds what one attempt writes. `publish` shows it, in place of what was there; `discard` leaves nothing.
On the local disk that is a hidden file or folder beside the target, synced, then renamed. Its name carries the job
and the attempt, so that two attempts never write to one file: the later rename wins. An attempt sweeps what dead
attempts left: those of its own job, and any that nothing was written to for an hour.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from errno import EEXIST, ENOTEMPTY
from pathlib import Path
from typing import BinaryIO

from cape_airflow.datasets.listing import MANIFEST
from cape_airflow.errors import DatasetError

STALE_SECONDS = 3600
_PART = re.compile(r"part-\d{5,}(-[0-9a-f]+)?\.\w+")


class Staging(ABC):
    """Where one attempt writes before its output is published."""

    mark: str = ""
    """Goes into the names of part files, where parts of two attempts may lie side by side."""

    @abstractmethod
    def prepare(self) -> None:
        """Sweep leftovers and check that the target may be written.

        Raises:
            DatasetError: the target is not ours to replace.
        """

    @abstractmethod
    def create(self, name: str) -> BinaryIO:
        """Open the next file; only a folder has more than one, and only for a folder the name counts."""

    @abstractmethod
    def seal(self, file: BinaryIO) -> None:
        """Close a file, its bytes safe."""

    @abstractmethod
    def publish(self) -> None:
        """Show the output, in place of what was there."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written; after `publish` there is nothing to remove."""


def is_ours(name: str) -> bool:
    """Whether a sink wrote a file of that name into a folder."""
    return name == MANIFEST or _PART.fullmatch(name) is not None


class _LocalStaging(Staging):
    def __init__(self, path: str, job_id: str) -> None:
        self._target = Path(path)
        self._job = f".{self._target.name}.cape-{job_id}-"
        self._temporary = self._target.with_name(self._job + secrets.token_hex(4))
        self._mode = 0

    def prepare(self) -> None:
        if self._target.is_symlink():
            raise DatasetError(f"{self._target} is a symbolic link; name the file or folder itself")
        self._check()
        self._target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in self._target.parent.glob(".*.cape-*"):
            if leftover.name.startswith(self._job) or _age(leftover) > STALE_SECONDS:
                _remove(leftover)

    @abstractmethod
    def _check(self) -> None: ...

    def seal(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()

    def discard(self) -> None:
        _remove(self._temporary)


class LocalFile(_LocalStaging):
    """One file on the local disk.

    Args:
        path: of the target.
        job_id: the same for every attempt of one job.
    """

    def _check(self) -> None:
        if self._target.is_dir():
            raise DatasetError(f"{self._target} is a folder; end the URL with a slash to write a folder")

    def create(self, name: str) -> BinaryIO:
        """Open the file, for its owner only until it is published."""
        descriptor = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        self._mode = os.fstat(descriptor).st_mode  # as the umask wants it, for later
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "wb")

    def publish(self) -> None:
        """Give the file its name."""
        self._temporary.chmod(self._mode & 0o777)
        os.replace(self._temporary, self._target)
        _sync_folder(self._target.parent)


class LocalFolder(_LocalStaging):
    """A folder of part files on the local disk.

    Args:
        path: of the target.
        job_id: the same for every attempt of one job.
    """

    def _check(self) -> None:
        if self._target.exists() and not self._target.is_dir():
            raise DatasetError(f"{self._target} is a file; leave the slash at the end of the URL away")
        inside = self._target.iterdir() if self._target.exists() else ()
        foreign = sum(not is_ours(path.name) for path in inside)
        if foreign:
            raise DatasetError(f"{self._target} holds {foreign} files that are no earlier output; name a new folder")

    def create(self, name: str) -> BinaryIO:
        """Open the next file of the folder, which is its owner's only until it is published."""
        if not self._mode:
            self._temporary.mkdir()
            self._mode = self._temporary.stat().st_mode
            self._temporary.chmod(0o700)
        return (self._temporary / name).open("xb")

    def publish(self) -> None:
        """Give the folder its name; an earlier one steps aside first, so that the two are never mixed."""
        _sync_folder(self._temporary)
        self._temporary.chmod(self._mode & 0o777)
        aside = self._temporary.with_name(self._job + secrets.token_hex(4))
        while not self._renamed():
            _remove(aside)
            with suppress(FileNotFoundError):  # another attempt moved it away just now
                self._target.rename(aside)
        _sync_folder(self._target.parent)
        _remove(aside)

    def _renamed(self) -> bool:
        try:
            self._temporary.rename(self._target)
        except OSError as error:
            if error.errno not in {EEXIST, ENOTEMPTY}:
                raise
            return False
        return True


def _age(path: Path) -> float:
    """Return seconds since something was written to a file, or into a folder."""
    inside = path.iterdir() if path.is_dir() else ()
    with suppress(FileNotFoundError):  # swept by another attempt meanwhile
        return float(time.time() - max(each.stat().st_mtime for each in (path, *inside)))
    return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # another attempt may sweep it at the same time
    else:
        path.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
