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
from collections.abc import Callable, Iterator
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.plugins_manager import AirflowPlugin

from cape_airflow.hooks import settings
from cape_airflow.listeners import runs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

URL_PREFIX = settings.EMBEDDED_PATH
RETRY_SECONDS = 30.0

_TITLE = "Privacy"
_PLACES = {
    "dag": ("dag_id",),
    "dag_run": ("dag_id", "run_id"),
    "task": ("dag_id", "task_id"),
    "task_instance": ("dag_id", "run_id", "task_id", "map_index"),
}
"""Where Airflow 3.1 and later take a view, and what tells there which one is looked at."""


class CapePlugin(AirflowPlugin):
    """Airflow's handle on the embedded coordinator."""

    name = "cape"
    listeners = [runs]  # noqa: RUF012 - Airflow's declaration, a class variable by its nature

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow reads it, and never assigns it
        """The app to mount: one in the API server, none in any other process or with `[cape] embedded = False`."""
        if "airflow.api_fastapi.main" not in sys.modules or not settings.embedded():
            return []
        return [{"name": "cape", "app": EmbeddedCoordinator(), "url_prefix": URL_PREFIX}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow may take out what it refuses
        """The coordinator's pages: `Privacy` in the navigation, and on the pages of DAGs, runs and tasks.

        Of a coordinator elsewhere only the first, as a link to another window where `[cape] pages_url` says whither: a
        browser would not show its pages in a frame of ours.
        """
        if self.fastapi_apps:
            return list(_views(f"{settings.path_of_airflow()}{URL_PREFIX}"))
        if "airflow.api_fastapi.main" in sys.modules and settings.pages_url():
            return [{"name": _TITLE, "href": f"{settings.pages_url()}/", "destination": "nav"}]
        return []


def _views(root: str) -> Iterator[dict[str, Any]]:
    """Yield what Airflow shows in frames; it puts the names in braces in place, each quoted."""
    yield {"name": _TITLE, "href": f"{root}/", "destination": "nav", "url_route": "privacy"}
    for destination, names in _PLACES.items():
        asked = urlencode({"deployment": settings.deployment()})
        asked += "".join(f"&{name}={{{name.upper()}}}" for name in names)
        href, route = f"{root}/airflow?{asked}", f"privacy-{destination.replace('_', '-')}"
        yield {"name": _TITLE, "href": href, "destination": destination, "url_route": route}


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
        from cape_airflow.plugins.airflow_answers import AirflowAnswers
        from cape_airflow.plugins.airflow_users import AirflowUsers

        ours = Settings(home=settings.home())
        people = AirflowUsers(ours.airflow_admins, ours.airflow_auditors)
        return create_app(ours, identity=people, answers=AirflowAnswers(f"{settings.path_of_airflow()}{URL_PREFIX}"))
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
