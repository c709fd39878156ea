"""What a sink is, and what those that are handlers of Python's `logging` share."""

from __future__ import annotations

import json
import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from cape_airflow.coordinator.audit.chain import Entry
from cape_airflow.errors import CoordinatorError


class Sink(Protocol):
    """Takes rows of the log, in their order. A row may come twice, with the same `seq`, after trouble."""

    def deliver(self, entries: Sequence[Entry]) -> None:
        """Take rows; on return they are where they belong.

        Raises:
            CoordinatorError: they are not, or not all; they come again later.
        """

    def close(self) -> None:
        """Let go of files and connections."""


class SinkSettings(BaseModel, ABC):
    """What is said about a sink in the settings.

    Args:
        events: patterns of the events that it gets, such as ``*-key``.
        without: patterns of those that it does not get.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    events: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()

    @abstractmethod
    def open(self) -> Sink:
        """Return the sink.

        Raises:
            OSError: it cannot be reached.
        """

    def wants(self, entry: Entry) -> bool:
        """Return whether the sink gets this row."""
        event = entry["event"]
        return any(fnmatchcase(event, each) for each in self.events) and not any(
            fnmatchcase(event, each) for each in self.without
        )


def line_of(entry: Entry) -> str:
    """Return a row as one line of JSON in ASCII: nothing in it can break the line or colour a terminal."""
    return json.dumps(entry, separators=(",", ":"), sort_keys=True)


class LoudHandler(logging.Handler):
    """A handler that does not swallow what goes wrong. Mixed in before the handler that it is about."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in `logging`
        """Say that the row was not delivered."""
        error = sys.exc_info()[1]
        if isinstance(error, CoordinatorError):  # said already, by the handler below this one
            raise error
        raise CoordinatorError(f"an audit row was not delivered ({type(error).__name__})") from error


class HandlerSink:
    """A sink that writes a line a row to a handler of `logging`."""

    def __init__(self, handler: LoudHandler) -> None:
        self._handler = handler

    def deliver(self, entries: Sequence[Entry]) -> None:
        """Write the rows, and have the handler put them where they belong."""
        for entry in entries:
            self._handler.emit(logging.LogRecord("cape.audit", logging.INFO, "", 0, line_of(entry), None, None))
        self._handler.flush()

    def close(self) -> None:
        """Close the handler."""
        self._handler.close()
