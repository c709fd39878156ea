"""All or nothing: files that nobody sees before they are complete.

A staging holds what one attempt writes. `publish` shows it, in place of what was there; `discard` leaves nothing.
On the local disk that is a hidden file or folder beside the target, synced, then renamed. Its name carries the job
and the attempt, so that two attempts never write to one file: the later rename wins. It is locked while its attempt
lives, so that an attempt sweeps only what dead ones left for its own target: those of its job, and old ones.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, ENOTEMPTY
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import BinaryIO

from cape_airflow.datasets.exchange import exchange
from cape_airflow.datasets.listing import MANIFEST, named_files
from cape_airflow.errors import DatasetError

STALE_SECONDS = 3600


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


class _LocalStaging(Staging):
    def __init__(self, path: str, job_id: str) -> None:
        self._target = Path(path)
        self._job_id = job_id
        self._job = f".{self._target.name}.cape-{job_id}-"
        self._temporary = self._target.with_name(self._job + secrets.token_hex(4))
        self._mode = 0
        self._lock: int | None = None

    def prepare(self) -> None:
        if self._target.is_symlink():
            raise DatasetError(f"{self._target} is a symbolic link; name the file or folder itself")
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._restore()
        self._check()
        self._sweep()

    def _restore(self) -> None:
        """Put back an earlier output that an attempt was killed over."""

    @abstractmethod
    def _check(self) -> None: ...

    def _sweep(self) -> None:
        name, job = re.escape(self._target.name), re.escape(self._job_id)
        ours = re.compile(rf"\.{name}\.cape-({job}|[0-9a-f]{{32}})-[0-9a-f]{{8}}")
        for leftover in self._target.parent.iterdir():
            if ours.fullmatch(leftover.name):
                with suppress(OSError), _locked(leftover):  # its attempt lives, or it is another user's
                    if leftover.name.startswith(self._job) or _age(leftover) > STALE_SECONDS:
                        _remove(leftover)

    def _hold(self, descriptor: int) -> None:
        self._lock = descriptor
        with suppress(OSError):  # a disk that knows no locks: then nobody sweeps there either
            flock(descriptor, LOCK_EX)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    def seal(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()

    def publish(self) -> None:
        """Give what was written the mode and the name of the target."""
        with suppress(FileNotFoundError):
            self._mode = self._target.stat().st_mode
        self._temporary.chmod(self._mode & 0o777)
        self._show()
        _sync_folder(self._target.parent)
        self.discard()  # what stepped aside

    @abstractmethod
    def _show(self) -> None: ...

    def discard(self) -> None:
        _remove(self._temporary)
        self._release()


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
        self._hold(os.dup(descriptor))
        self._mode = os.fstat(descriptor).st_mode  # as the umask wants it, for later
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "wb")

    def _show(self) -> None:
        os.replace(self._temporary, self._target)


class LocalFolder(_LocalStaging):
    """A folder of part files on the local disk.

    Args:
        path: of the target.
        job_id: the same for every attempt of one job.
    """

    def __init__(self, path: str, job_id: str) -> None:
        super().__init__(path, job_id)
        self._aside = self._target.with_name(f".{self._target.name}.cape-aside")

    def _restore(self) -> None:
        """Put back what stepped aside; where a newer output took its place, remove it."""
        if self._target.exists():
            _remove(self._aside)
        elif self._aside.exists():
            self._aside.rename(self._target)

    def _check(self) -> None:
        if self._target.exists() and not self._target.is_dir():
            raise DatasetError(f"{self._target} is a file; leave the slash at the end of the URL away")
        manifest = self._target / MANIFEST
        ours = {MANIFEST, *named_files(manifest.read_bytes())} if manifest.exists() else set()
        inside = {path.name for path in self._target.iterdir()} if self._target.exists() else set()
        if foreign := len(inside - ours):
            raise DatasetError(f"{self._target} holds {foreign} files that are no earlier output; name a new folder")

    def create(self, name: str) -> BinaryIO:
        """Open the next file of the folder, which is its owner's only until it is published."""
        if self._lock is None:
            self._temporary.mkdir()
            self._hold(os.open(self._temporary, os.O_RDONLY | os.O_DIRECTORY))
            self._mode = self._temporary.stat().st_mode
            self._temporary.chmod(0o700)
        return (self._temporary / name).open("xb")

    def seal(self, file: BinaryIO) -> None:
        """Close a file; it gets the mode of an earlier output's files."""
        with suppress(FileNotFoundError):
            os.fchmod(file.fileno(), (self._target / MANIFEST).stat().st_mode & 0o777)
        super().seal(file)

    def _show(self) -> None:
        _sync_folder(self._temporary)
        while not self._renamed():
            try:
                return exchange(self._temporary, self._target)
            except FileNotFoundError:  # another attempt is at it
                continue
            except NotImplementedError:
                return self._step_aside()

    def _step_aside(self) -> None:
        """Where the disk cannot exchange folders the earlier one is out of sight for a moment, and never lost."""
        self._restore()
        self._target.rename(self._aside)
        try:
            self._temporary.rename(self._target)
        finally:
            self._restore()

    def _renamed(self) -> bool:
        try:
            self._temporary.rename(self._target)
        except OSError as error:
            if error.errno not in {EEXIST, ENOTEMPTY}:
                raise
            return False
        return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a leftover, which nobody else holds: its attempt is dead."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _age(path: Path) -> float:
    """Return seconds since something was written to a file, or into a folder."""
    inside = path.iterdir() if path.is_dir() else ()
    return float(time.time() - max(each.stat().st_mtime for each in (path, *inside)))


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
