"""Hands the log to sinks: every row at least once, in order, from where they were the last time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cape_airflow.coordinator.audit.chain import Entry
from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.audit.sinks import Sink, SinkSettings
from cape_airflow.coordinator.store import Store
from cape_airflow.errors import CoordinatorError

_AT_ONCE = 500


class Delivery:
    """The follower that serves one sink.

    Args:
        store: where the log is.
        label: the name of the sink in the settings; a new name starts from the beginning of the log.
        settings: of the sink.
    """

    def __init__(self, store: Store, label: str, settings: SinkSettings) -> None:
        self.name = f"sink {label}"
        self._store = store
        self._settings = settings
        self._sink: Sink | None = None

    def due(self, behind: int, idle: timedelta | None) -> bool:
        """Return whether there are new rows."""
        return behind > 0

    def follow(self, after: int, until: int) -> Iterator[int]:
        """Deliver the rows that the sink wants.

        Raises:
            CoordinatorError: it does not take them now.
        """
        part: list[Entry] = []
        for entry in entries(self._store.read, after, until):
            part.append(entry)
            if len(part) == _AT_ONCE:
                yield self._deliver(part)
                part = []
        if part:
            yield self._deliver(part)

    def _deliver(self, part: list[Entry]) -> int:
        wanted = [entry for entry in part if self._settings.wants(entry)]
        try:
            if wanted:
                self._sink = self._sink or self._settings.open()
                self._sink.deliver(wanted)
        except (CoordinatorError, OSError) as error:
            self._give_up()
            raise CoordinatorError(f"{self.name} takes nothing now: {error}") from None
        return int(part[-1]["seq"])

    def _give_up(self) -> None:
        """Close what may be broken; the next try opens it again."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()
