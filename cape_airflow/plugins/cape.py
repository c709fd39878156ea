"""The embedded coordinator: mounted at /cape of Airflow's API server, with data of its own in `[cape] home`.

Airflow imports plugins in every process (scheduler, triggerer, each task), so this module imports nothing heavy and
builds the coordinator only where `airflow.api_fastapi.main` is loaded: that module *is* the API server's app, under
uvicorn, gunicorn or `airflow standalone`, in every worker. Airflow does not authenticate plugin routes; the
coordinator authenticates each of its own.
"""

from __future__ import annotations

import logging
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from cape_airflow.hooks import settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

URL_PREFIX = "/cape"


class CapePlugin(AirflowPlugin):
    """Airflow's handle on the embedded coordinator."""

    name = "cape"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow reads it, and never assigns it
        """The app to mount: one in the API server, none in any other process or with `[cape] embedded = False`."""
        if "airflow.api_fastapi.main" not in sys.modules or not settings.embedded():
            return []
        return [{"name": "cape", "app": coordinator(), "url_prefix": URL_PREFIX}]


def coordinator() -> ASGIApp:
    """Return the coordinator's app, or one that answers 503 where it cannot start.

    A coordinator that cannot start must not take Airflow's API server, and with it every DAG, down. It says so in
    the API server's log, and to every caller; tasks that need it fail, since nothing approves their policy.
    """
    try:
        from cape_airflow.coordinator.app import create_app
        from cape_airflow.coordinator.settings import Settings

        return create_app(Settings(home=settings.home()))
    except Exception:  # whatever the reason, the API server goes on
        log.exception(
            "The embedded Cape coordinator in %s did not start; /cape answers 503 until the API server is restarted. "
            "Switch it off with [cape] embedded = False.",
            settings.home(),
        )
        return unavailable


async def unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request with 503, in the coordinator's error shape."""
    from starlette.responses import JSONResponse

    message = "The embedded coordinator did not start; the reason is in the log of Airflow's API server."
    await JSONResponse({"code": "coordinator-down", "message": message}, status_code=503)(scope, receive, send)
