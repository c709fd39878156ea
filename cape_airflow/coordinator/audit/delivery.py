"""Hands the log to sinks: every row at least once, in order, from where they were the last time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.audit.sinks import SinkSettings
from cape_airflow.coordinator.store import Store
from cape_airflow.errors import CoordinatorError

_AT_ONCE = 500


@dataclass(frozen=True)
class Delivery:
    """The follower that serves one sink.

    Args:
        store: where the log is.
        label: the name of the sink in the settings; a new name starts from the beginning of the log.
        settings: of the sink.
    """

    store: Store
    label: str
    settings: SinkSettings

    @property
    def name(self) -> str:
        """Its name."""
        return f"sink {self.label}"

    def due(self, behind: int, idle: timedelta | None) -> bool:
        """Return whether there are new rows."""
        return behind > 0

    def follow(self, after: int, until: int) -> Iterator[int]:
        """Deliver the rows that the sink wants.

        Raises:
            CoordinatorError: it does not take them now.
        """
        found = entries(self.store.read, after, until)
        try:
            with closing(self.settings.open()) as sink:
                while part := list(islice(found, _AT_ONCE)):
                    if wanted := [entry for entry in part if self.settings.wants(entry)]:
                        sink.deliver(wanted)
                    yield int(part[-1]["seq"])
        except (CoordinatorError, OSError) as error:
            raise CoordinatorError(f"{self.name} takes nothing now: {error}") from None
