"""Rows to a file, which is rotated by its size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from cape_airflow.coordinator.audit.chain import Entry
from cape_airflow.coordinator.audit.sinks.sink import HandlerSink, LoudHandler, Sink, SinkSettings


class _Handler(LoudHandler, RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, opener=_private)

    def doRollover(self) -> None:  # noqa: N802 - its name in `logging`
        """Put on disk what was written, and begin a new file."""
        self.sync()
        super().doRollover()

    def sync(self) -> None:
        """Put on disk what was written."""
        if self.stream is not None:
            self.stream.flush()
            os.fsync(self.stream.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _File(HandlerSink):
    def __init__(self, handler: _Handler) -> None:
        super().__init__(handler)
        self._file = handler

    def deliver(self, entries: Sequence[Entry]) -> None:
        """Write the rows; on return they are on disk."""
        super().deliver(entries)
        self._file.sync()


class FileSink(SinkSettings):
    """A line of JSON a row, in a file of mode 0600.

    Args:
        path: of the newest file; older ones have ``.1``, ``.2`` and so on behind it.
        megabytes: size at which a new one is begun.
        keep: how many older ones stay.
    """

    type: Literal["file"]
    path: Path
    megabytes: PositiveInt = 100
    keep: NonNegativeInt = 10

    def open(self) -> Sink:
        """Return the sink; its folder is made where it is missing."""
        path = self.path.expanduser()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _File(_Handler(path, maxBytes=self.megabytes * 2**20, backupCount=self.keep, encoding="utf-8"))
