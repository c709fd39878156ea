"""Watch a Spark application without a worker: its driver keeps its status in a folder that the triggerer sees."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cape_airflow.triggers.approval import SETTLING_SECONDS

LOOK_SECONDS = 2.0
LOG_SECONDS = 10.0
LOST_SECONDS = 120.0
"""A driver writes its status every two seconds; one that has not for so long is lost, with its worker."""


class CapeSparkTrigger(BaseTrigger):
    """Fires once a driver has ended, ``{"status": "ended"}``, or is lost, ``{"status": "lost", "seconds": ...}``.

    It keeps no state: a triggerer that is restarted looks again. A task that somebody stops while it waits has its
    driver stopped, too.

    Args:
        folder: of the driver; it holds no key and no value.
    """

    def __init__(self, *, folder: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.folder = folder

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores of the trigger."""
        return f"{__name__}.{type(self).__qualname__}", {"folder": self.folder}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the driver has ended or is lost; yield one event."""
        yield TriggerEvent(await self._event())  # type: ignore[no-untyped-call]  # Airflow's has no types

    async def on_kill(self) -> None:
        """Tell the driver to stop: the task was."""
        await asyncio.to_thread((Path(self.folder) / "cancel").touch)

    async def _event(self) -> dict[str, Any]:
        await asyncio.sleep(SETTLING_SECONDS)
        log_next = time.monotonic()
        while True:
            state, words, silent = await asyncio.to_thread(_look, Path(self.folder))
            if state != "running":
                return {"status": "ended"}
            if silent > LOST_SECONDS:
                return {"status": "lost", "seconds": silent}
            if time.monotonic() >= log_next:
                self.log.info("%s", words)
                log_next = time.monotonic() + LOG_SECONDS
            await asyncio.sleep(LOOK_SECONDS)


def _look(folder: Path) -> tuple[str, str, float]:
    """Return the state of a driver, how far it is, and the seconds since it last wrote that."""
    file = folder / "status.json"
    try:
        status = json.loads(file.read_text())
        silent = time.time() - file.stat().st_mtime
    except FileNotFoundError:  # the folder is not seen from here, or somebody removed it
        return "running", "", LOST_SECONDS + 1
    progress = status["progress"]
    words = f"{progress['rows_in']:,} rows read, {progress['rows_out']:,} written; {status['stages']}"
    return str(status["state"]), words.rstrip("; "), silent
