"""Wait for a decision without a worker: asks the coordinator from the triggerer's event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cape_airflow.errors import CapeError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.failure import refused

if TYPE_CHECKING:
    from cape_airflow.client import AsyncCoordinatorClient

# Airflow 3.3.2 fails a task whose deferral ends before the scheduler has digested its beginning (apache/airflow
# #67287): nothing is reported within these seconds.
SETTLING_SECONDS = 10.0
_LONGEST_PAUSE = 300.0


class CapePolicyApprovalTrigger(BaseTrigger):
    """Fires once a project has an approved policy, or a suggestion is approved or rejected.

    It keeps no state: a triggerer that is restarted simply asks again. The event only says that there is something to
    see, ``{"status": "decided"}``, or that the coordinator refuses to answer, ``{"status": "error", "code": ...}``; the
    task then asks for itself. Where the wait takes long, it says so, ``{"status": "overdue"}``, and the task reminds
    people, and waits again. Whatever else goes wrong (no answer, a proxy's page, no connection) is logged, and the
    question asked again, with growing pauses; how long in all is up to the timeout of the deferral.

    Args:
        project: label.
        suggestion_id: the suggestion to wait for; None for any approved policy of the project.
        cape_conn_id: connection of type `cape`.
        poke_interval: seconds between two questions; the first comes after `SETTLING_SECONDS`.
        remind_at: when the wait takes long, in seconds of the epoch; None: never.
    """

    def __init__(
        self,
        *,
        project: str,
        suggestion_id: str | None,
        cape_conn_id: str,
        poke_interval: float,
        remind_at: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.project = project
        self.suggestion_id = suggestion_id
        self.cape_conn_id = cape_conn_id
        self.poke_interval = poke_interval
        self.remind_at = remind_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores of the trigger: names and numbers only."""
        return f"{__name__}.{type(self).__qualname__}", {
            "project": self.project,
            "suggestion_id": self.suggestion_id,
            "cape_conn_id": self.cape_conn_id,
            "poke_interval": self.poke_interval,
            "remind_at": self.remind_at,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is a decision, or the coordinator refuses to answer; yield one event."""
        async with AsyncExitStack() as clients:
            event = await self._event(clients)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's has no types

    async def _event(self, clients: AsyncExitStack) -> dict[str, str]:
        pause = SETTLING_SECONDS
        client: AsyncCoordinatorClient | None = None
        await asyncio.sleep(pause)
        while not self._overdue():
            try:
                if client is None:
                    client = await clients.enter_async_context(await CapeHook(self.cape_conn_id).async_client())
                if status := await self._status(client):
                    return {"status": status}
                pause = self.poke_interval
            except Exception as error:  # noqa: BLE001 - whatever it is may pass before the deferral's timeout
                if code := refused(error):
                    return {"status": "error", "code": code}
                pause = longer(pause, self.poke_interval)
                self.log.warning("No answer of the coordinator, next try in %.0f s: %s", pause, _shown(error))
            await asyncio.sleep(self._until_reminder(pause))
        return {"status": "overdue"}

    async def _status(self, client: AsyncCoordinatorClient) -> str | None:
        """Return what has happened; None where nothing has."""
        from cape_airflow.hooks.decision import decision  # what it imports was loaded with the client

        found = await client.call(decision(self.project, self.suggestion_id))
        return None if found.state == "open" else "decided"

    def _overdue(self) -> bool:
        return self.remind_at is not None and time.time() >= self.remind_at

    def _until_reminder(self, pause: float) -> float:
        return pause if self.remind_at is None else max(0.0, min(pause, self.remind_at - time.time()))


class CapeApprovalTrigger(CapePolicyApprovalTrigger):
    """Fires also once somebody has answered a task's question inside Airflow: ``{"status": "answered"}``.

    Airflow 3.3 wakes the task itself at an answer, and then ends this trigger. This is for older lines, and for an
    answer that comes in the moment before the task has gone to wait; so it holds an answer back for a while: woken
    twice within moments, the task would fail (apache/airflow#67287).

    Args:
        ti_id: id of the task instance that has asked.
        more: as of `CapePolicyApprovalTrigger`.
    """

    def __init__(self, *, ti_id: str, **more: Any) -> None:
        super().__init__(**more)
        self.ti_id = ti_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores of the trigger: names and numbers only."""
        path, arguments = super().serialize()
        return path, {**arguments, "ti_id": self.ti_id}

    async def _status(self, client: AsyncCoordinatorClient) -> str | None:
        if status := await super()._status(client):
            return status
        if not await self._answered():
            return None
        await asyncio.sleep(SETTLING_SECONDS)
        return "answered"

    async def _answered(self) -> bool:
        from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

        detail = await asyncio.to_thread(get_hitl_detail_content_detail, UUID(self.ti_id))
        return detail.response_received


def _shown(error: Exception) -> str:
    """Return an error as the triggerer's log may show it: of one that is not ours, the class only."""
    return str(error) if isinstance(error, CapeError) else type(error).__name__


def longer(pause: float, poke_interval: float) -> float:
    """Return the seconds to wait after one more failure: twice as many, up to five minutes or the interval."""
    return min(2 * max(pause, 1.0), max(_LONGEST_PAUSE, poke_interval))
