"""The coordinator as a server of its own: one process, or several that share a port."""

from __future__ import annotations

import os
from typing import Any

import uvicorn
from fastapi import FastAPI

from cape_airflow.coordinator import logs
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.startup import start
from cape_airflow.errors import CoordinatorError

_CONNECTIONS = 512  # of one process: so many bodies may wait in memory for their turn
_GRACE_SECONDS = 20


def serve(settings: Settings, host: str, port: int, workers: int = 1) -> None:
    """Serve until a signal says stop; then take no more requests, and finish those that run.

    Args:
        settings: several workers read theirs anew, from environment and file; only `home` is handed on.
        host: address to listen at.
        port: 0 for one that is free; the log says which.
        workers: processes. What only one of them may do at a time, such as asking other schedulers, is leased in the
            database, as between replicas on other machines.

    Raises:
        KeyUnavailable: there is no root key, or it is not the one that the database was made with.
        CoordinatorError: the database is of a newer version, or the settings make no sense.
    """
    logs.configure(settings)
    listen: dict[str, Any] = {
        "host": host,
        "port": port,
        "ssl_certfile": settings.tls_cert,
        "ssl_keyfile": settings.tls_key,
        "server_header": False,
        "access_log": False,  # it would write what addresses ask for; see `logs`
        "log_config": None,
        "limit_concurrency": _CONNECTIONS,
        "timeout_graceful_shutdown": _GRACE_SECONDS,
    }
    if workers == 1:
        uvicorn.run(create_app(settings), **listen)
        return
    if settings.metrics_bind is not None:
        raise CoordinatorError("CAPE_METRICS_BIND is an address for one process; with several workers, ask /metrics")
    start(settings, system_clock)  # what is wrong is said once, and not by every worker again and again
    os.environ["CAPE_HOME"] = str(settings.folder)
    uvicorn.run(f"{__name__}:worker", factory=True, workers=workers, **listen)


def worker() -> FastAPI:
    """Return the app of one of several workers."""
    settings = Settings()
    logs.configure(settings)
    return create_app(settings)
