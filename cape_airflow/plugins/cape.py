"""The embedded coordinator: mounted at /cape of Airflow's API server, with data of its own in `[cape] home`.

Airflow imports plugins in every process (scheduler, triggerer, each task), so this module imports nothing heavy and
builds the coordinator only where `airflow.api_fastapi.main` is loaded: that module *is* the API server's app, under
uvicorn, gunicorn or `airflow standalone`, in every worker. Airflow does not authenticate plugin routes; the
coordinator authenticates each of its own, and asks Airflow whose session a browser has.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from cape_airflow.hooks import settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

URL_PREFIX = "/cape"
RETRY_SECONDS = 30.0


class CapePlugin(AirflowPlugin):
    """Airflow's handle on the embedded coordinator."""

    name = "cape"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow reads it, and never assigns it
        """The app to mount: one in the API server, none in any other process or with `[cape] embedded = False`."""
        if "airflow.api_fastapi.main" not in sys.modules or not settings.embedded():
            return []
        return [{"name": "cape", "app": EmbeddedCoordinator(), "url_prefix": URL_PREFIX}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow may take out what it refuses
        """The pages in a frame of Airflow's, as `Privacy` in its navigation; none where nothing is mounted."""
        if not self.fastapi_apps:
            return []
        href = f"{settings.path_of_airflow()}{URL_PREFIX}/"
        return [{"name": "Privacy", "href": href, "destination": "nav", "url_route": "privacy"}]


class EmbeddedCoordinator:
    """The coordinator's app; while it cannot start, one that answers 503 and now and then tries again.

    A coordinator that cannot start must not take Airflow's API server, and with it every DAG, down. It says so in
    the API server's log, and to every caller; tasks that need it fail, since nothing approves their policy.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._starting = Lock()
        self._app: ASGIApp | None = None
        self._start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if self._app is None and self._clock() >= self._next_try:
            await asyncio.to_thread(self._start)
        await (self._app or unavailable)(scope, receive, send)

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another request is at it
        try:
            self._app = self._app or _new_app()
            self._next_try = self._clock() + RETRY_SECONDS
        finally:
            self._starting.release()


def _new_app() -> ASGIApp | None:
    try:
        from cape_airflow.coordinator.app import create_app
        from cape_airflow.coordinator.settings import Settings
        from cape_airflow.plugins.airflow_users import AirflowUsers

        ours = Settings(home=settings.home())
        return create_app(ours, identity=AirflowUsers(ours.airflow_admins, ours.airflow_auditors))
    except Exception:  # whatever the reason, the API server goes on
        log.exception(
            "The embedded Cape coordinator in %s did not start; /cape answers 503, and a request tries again after "
            "%.0f s. Switch it off with [cape] embedded = False.",
            settings.home(),
            RETRY_SECONDS,
        )
        return None


async def unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request with 503, in the coordinator's error shape."""
    from starlette.responses import JSONResponse

    message = "The embedded coordinator did not start; the reason is in the log of Airflow's API server."
    await JSONResponse({"code": "coordinator-down", "message": message}, status_code=503)(scope, receive, send)
