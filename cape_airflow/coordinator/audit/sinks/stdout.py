"""Rows to the standard output, for what collects the logs of containers."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from cape_airflow.coordinator.audit.sinks.sink import HandlerSink, LoudHandler, Sink, SinkSettings


class _Handler(LoudHandler, logging.StreamHandler):  # type: ignore[type-arg]  # generic for type checkers only
    pass


class StdoutSink(SinkSettings):
    """A line of JSON a row."""

    type: Literal["stdout"]

    def open(self) -> Sink:
        """Return the sink."""
        return HandlerSink(_Handler(sys.stdout))
