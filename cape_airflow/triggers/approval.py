"""Wait for a decision without a worker: asks the coordinator from the triggerer's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cape_airflow.errors import CoordinatorRefused, CoordinatorUnavailable
from cape_airflow.hooks.cape import CapeHook

if TYPE_CHECKING:
    from cape_airflow.client import AsyncCoordinatorClient

# Airflow 3.3.2 fails a task whose deferral ends before the scheduler has digested its beginning (apache/airflow
# #67287): nothing is reported within these seconds.
SETTLING_SECONDS = 10.0
_LONGEST_PAUSE = 300.0


class CapePolicyApprovalTrigger(BaseTrigger):
    """Fires once a project has an approved policy, or a suggestion is approved or rejected.

    It keeps no state: a triggerer that is restarted simply asks again. The event only says that there is something to
    see, ``{"status": "decided"}``, or that asking makes no sense, ``{"status": "error", "code": ...}``; the task then
    asks for itself. A coordinator that cannot be reached is asked again, with growing pauses; how long in all is up to
    the timeout of the deferral.

    Args:
        project: label.
        suggestion_id: the suggestion to wait for; None for any approved policy of the project.
        cape_conn_id: connection of type `cape`.
        poke_interval: seconds between two questions; the first comes after `SETTLING_SECONDS`.
    """

    def __init__(self, *, project: str, suggestion_id: str | None, cape_conn_id: str, poke_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.project = project
        self.suggestion_id = suggestion_id
        self.cape_conn_id = cape_conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores of the trigger: names and numbers only."""
        return f"{__name__}.{type(self).__qualname__}", {
            "project": self.project,
            "suggestion_id": self.suggestion_id,
            "cape_conn_id": self.cape_conn_id,
            "poke_interval": self.poke_interval,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is a decision; yield one event."""
        try:
            async with await CapeHook(self.cape_conn_id).async_client() as client:
                await self._until_decided(client)
        except Exception as error:  # noqa: BLE001 - the event fails the task; the message may not enter the database
            code = error.code if isinstance(error, CoordinatorRefused) and error.code else type(error).__name__
            event = {"status": "error", "code": code}
        else:
            event = {"status": "decided"}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's has no types

    async def _until_decided(self, client: AsyncCoordinatorClient) -> None:
        from cape_airflow.hooks.decision import decision

        question = decision(self.project, self.suggestion_id)
        pause = SETTLING_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                if (await client.call(question)).state != "open":
                    return
                pause = self.poke_interval
            except CoordinatorUnavailable as error:
                pause = longer(pause, self.poke_interval)
                self.log.warning("The coordinator cannot be reached, next try in %.0f s: %s", pause, error)


def longer(pause: float, poke_interval: float) -> float:
    """Return the seconds to wait after one more failure: twice as many, up to five minutes or the interval."""
    return min(2 * max(pause, 1.0), max(_LONGEST_PAUSE, poke_interval))
