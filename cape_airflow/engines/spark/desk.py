"""The driver's end of the conversation: with an operator through a pipe, then with it or with a folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar

from pydantic import BaseModel, ValidationError

from cape_airflow.engines.spark.messages import Job, Opened, Orders, Status
from cape_airflow.errors import CapeError

STATUS, CANCEL = "status.json", "cancel"
"""In the folder of a driver that is left to itself: how far it is, and that it is to stop."""

LOOK_SECONDS = 1.0

M = TypeVar("M", bound=BaseModel)


class OperatorGone(CapeError):
    """The operator closed the pipe before it gave orders."""


class Desk:
    """Where a driver gets its orders, and tells how far it is.

    Args:
        incoming: one message a line.
        outgoing: the same.
    """

    def __init__(self, incoming: TextIO, outgoing: TextIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._folder: Path | None = None
        self._one_at_a_time = threading.Lock()

    def job(self) -> Job:
        """Read what is to be done."""
        return self._read(Job)

    def orders(self, opened: Opened) -> Orders:
        """Tell the schema, and read the orders. Where these name a folder, all else is told there.

        Raises:
            OperatorGone: there will be none.
        """
        self._write(opened)
        orders = self._read(Orders)
        if orders.folder is not None:
            self._folder = Path(orders.folder)
            self.tell(Status(application=opened.application))
        return orders

    def tell(self, status: Status) -> None:
        """Say how far it is."""
        with self._one_at_a_time:
            if self._folder is None:
                self._write(status)
            else:
                write_status(self._folder, status)

    def watch(self, stop: Callable[[], None]) -> None:
        """Call `stop`, from a thread of its own, once the operator is gone or the folder says so."""
        threading.Thread(target=self._watch, args=(stop,), name="cape-watch", daemon=True).start()

    def _watch(self, stop: Callable[[], None]) -> None:
        if self._folder is None:
            self._incoming.read()
        else:
            pause = threading.Event()
            while not (self._folder / CANCEL).exists():
                pause.wait(LOOK_SECONDS)
        stop()

    def _read(self, kind: type[M]) -> M:
        line = self._incoming.readline()
        if not line:
            raise OperatorGone("the operator ended before the driver got its orders")
        try:
            return kind.model_validate_json(line)
        except ValidationError:
            # Its words, and the error itself, hold what came: keys among it.
            problem = f"the operator sent no {kind.__name__}: are both of the same version of cape_airflow?"
        raise CapeError(problem)

    def _write(self, message: BaseModel) -> None:
        self._outgoing.write(message.model_dump_json() + "\n")
        self._outgoing.flush()


def write_status(folder: Path, status: Status) -> None:
    """Replace the status in a folder at once: who reads it sees the old one or the new."""
    fresh = folder / f".{STATUS}"
    fresh.write_text(status.model_dump_json())
    os.replace(fresh, folder / STATUS)


def read_status(folder: Path) -> Status:
    """Return the last status in a folder.

    Raises:
        OSError: there is none.
    """
    return Status.model_validate_json((folder / STATUS).read_text())
