"""Signed checkpoints: where the chain stood, and when. They live outside the database, in a file that only grows.

A checkpoint is Ed25519 (RFC 8032) over the RFC 8785 canonical JSON of its document, made with the key that approvals
are signed with; `kind` keeps the two apart. Each line of the file is ``{"checkpoint": {...}, "signature": "..."}``.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal

import rfc8785
from cryptography.exceptions import InvalidSignature
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cape_airflow.client.trust import TrustedKeys
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.signing import Signer
from cape_airflow.errors import CoordinatorError
from cape_airflow.keys.encoding import from_base64url, to_base64url

_MOST_BYTES = 4096  # a line is shorter

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class Checkpoint(BaseModel):
    """Where the chain stood.

    Args:
        seq: number of the newest row; 0 where there was none.
        head: hash of that row.
        rows: how many rows there were.
        time: when it was signed, RFC 3339, by the coordinator's clock.
        key_id: of the key that signed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["cape-audit-checkpoint/1"] = "cape-audit-checkpoint/1"
    seq: Count
    head: Sha256
    rows: Count
    time: str
    key_id: str


class SignedCheckpoint(BaseModel):
    """A checkpoint with its signature, base64url."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    checkpoint: Checkpoint
    signature: str

    def genuine(self, keys: TrustedKeys) -> bool:
        """Return whether one of these keys made it."""
        key = keys.get(self.checkpoint.key_id)
        if key is None:
            return False
        try:
            key.verify(from_base64url(self.signature), rfc8785.dumps(self.checkpoint.model_dump()))
        except (InvalidSignature, ValueError):
            return False
        return True


def sign_checkpoint(signer: Signer, seq: int, head: str, rows: int, now: datetime) -> SignedCheckpoint:
    """Return a signed statement of where the chain stands."""
    checkpoint = Checkpoint(seq=seq, head=head, rows=rows, time=rfc3339(now), key_id=signer.key_id)
    return SignedCheckpoint(checkpoint=checkpoint, signature=to_base64url(signer.sign(checkpoint.model_dump())))


class CheckpointFile:
    """A file of checkpoints, one a line, of mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, signed: SignedCheckpoint) -> None:
        """Write a checkpoint at the end; on return it is on disk.

        Raises:
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _end_of_whole_lines(file)
            file.write(signed.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def last(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint; None where there is none.

        Raises:
            CoordinatorError: the file cannot be read, or what stands last is no checkpoint.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * _MOST_BYTES))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CoordinatorError(f"the checkpoints cannot be read: {self.path}: {error.strerror}") from None
        return next(iter(_parsed(lines[-1:], self.path)), None)

    def read(self) -> list[SignedCheckpoint]:
        """Return all checkpoints, in the order of the file; none where there is no file.

        Raises:
            CoordinatorError: the file cannot be read, or a line is no checkpoint. What a crash left of the last line
                does not count.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CoordinatorError(f"the checkpoints cannot be read: {self.path}: {error.strerror}") from None
        return list(_parsed(lines, self.path))


def _parsed(lines: Iterable[bytes], path: Path) -> Iterable[SignedCheckpoint]:
    for number, line in enumerate(lines, 1):
        try:
            yield SignedCheckpoint.model_validate_json(line)
        except ValidationError:
            raise CoordinatorError(f"line {number} of {path} is no checkpoint") from None


def _end_of_whole_lines(file: IO[bytes]) -> None:
    """Go to the end of the file; take away what a crash left of a line."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _MOST_BYTES)
    file.seek(start)
    whole = start + file.read().rfind(b"\n") + 1
    file.seek(whole)
    file.truncate()
