"""The coordinator as an ASGI app, alone under uvicorn or mounted in another app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from cape_airflow import __version__
from cape_airflow.coordinator import problems
from cape_airflow.coordinator.answers import AnswerBook
from cape_airflow.coordinator.api import ROUTERS
from cape_airflow.coordinator.audit.following import followers_of, following
from cape_airflow.coordinator.clock import Clock, system_clock
from cape_airflow.coordinator.description import describe
from cape_airflow.coordinator.edge import Edge
from cape_airflow.coordinator.guard import Gate
from cape_airflow.coordinator.identities import IdentityProvider
from cape_airflow.coordinator.metrics import Metrics, exposed
from cape_airflow.coordinator.observation import Observation
from cape_airflow.coordinator.pages import ROUTERS as PAGES
from cape_airflow.coordinator.pages import login, single_sign_on
from cape_airflow.coordinator.polling import Poller, polling
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.startup import start


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock = system_clock,
    identity: IdentityProvider | None = None,
    answers: AnswerBook | None = None,
) -> FastAPI:
    """Return a coordinator that is ready to serve.

    All start-up work is done here, because the lifespan of a mounted app is not always run. The API describes itself
    at ``/v1/openapi.json``, to callers with a token. Only the lifespan asks other schedulers, and makes the checkpoints
    of the audit log: a coordinator that is mounted needs ``cape coordinator poll`` and ``cape audit follow`` beside it.

    Args:
        settings: from the environment where it is None.
        clock: where the time comes from.
        identity: the system around the coordinator, where people log in there and not here.
        answers: where that system keeps what people answer there.

    Raises:
        KeyUnavailable: there is no root key, or it is not the one that the database was made with.
        CoordinatorError: the database is of a newer version, or the settings make no sense.
        SchedulerError: the file of the schedulers makes no sense.
    """
    settings = settings or Settings()
    coordinator = start(settings, clock)
    poller = Poller.configured(coordinator)
    metrics = Metrics(coordinator)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with (
            polling(poller),
            following(coordinator, followers_of(coordinator)),
            exposed(metrics, settings.metrics_bind),
        ):
            yield
        coordinator.store.close()

    app = FastAPI(
        title="Cape coordinator",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's way to describe an app otherwise
    app.state.coordinator = coordinator
    app.state.identity = identity
    app.state.answers = answers
    app.state.metrics = metrics
    writers = 1 if settings.database.get_backend_name() == "sqlite" else settings.concurrency
    app.state.gate = Gate(settings.concurrency, writers, settings.queue_seconds)
    app.add_middleware(Edge)
    app.add_middleware(Observation, metrics=metrics)
    problems.install(app)
    for router in (*ROUTERS, *PAGES):
        if identity is None or router not in (login.router, single_sign_on.router):
            # The routes themselves: `include_router` would make all of them anew, in a quarter of a second.
            app.router.routes.extend(router.routes)
    return app
