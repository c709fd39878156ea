"""Files that only their owner may read, and that are there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cape_airflow.errors import CapeError


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step: a crash leaves the old content or the new, never a part.

    Its folder, and those above it, are made with mode 0700 where they are missing.

    Raises:
        CapeError: it cannot be written.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        _make_folder(path.parent)
        try:
            _write(temporary, content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise CapeError(f"cannot write {path}: {error.strerror}") from None


def read_private(path: Path) -> bytes:
    """Return the content of a file that nobody else may read.

    Raises:
        CapeError: it cannot be read, or its group or others may read or write it.
    """
    try:
        with path.open("rb") as file:
            if exposed(os.fstat(file.fileno()).st_mode):
                raise CapeError(f"others may read {path}, which holds secrets; run: chmod 600 {path}")
            return file.read()
    except OSError as error:
        raise CapeError(f"cannot read {path}: {error.strerror}") from None


def exposed(mode: int) -> bool:
    """Return whether a file of that mode is open to anyone but its owner."""
    return bool(stat.S_IMODE(mode) & 0o077)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, so that of several processes that change its files each sees what the others did."""
    try:
        _make_folder(folder)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CapeError(f"cannot use the folder {folder}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it; `mkdir(parents=True)` would open the latter to others."""
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
