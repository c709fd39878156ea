"""The first steps of a deployment: migrate, make the first admin, serve."""

from __future__ import annotations

from contextlib import closing

import uvicorn
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.people import new_token, new_user
from cape_airflow.coordinator.permissions import Role
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.startup import start
from cape_airflow.coordinator.store.migrate import exclusive
from cape_airflow.coordinator.store.models import AuditRow, User
from cape_airflow.errors import CoordinatorError

_DAYS = 90
_CONNECTIONS = 512  # so many bodies may wait in memory for their turn
_GRACE_SECONDS = 20


def initialise(settings: Settings, email: str, name: str) -> str:
    """Make the first admin of a deployment, on the machine of the coordinator.

    Returns:
        His API token; it expires after 90 days.

    Raises:
        CoordinatorError: there are users already.
    """
    coordinator = start(settings, system_clock)
    now = coordinator.clock()
    with closing(coordinator.store), exclusive(coordinator.store) as connection, Session(connection) as session:
        if session.scalar(select(func.count()).select_from(User)):
            raise CoordinatorError("there are users already; an admin makes new users and tokens")
        user = new_user(email.lower(), name, Role.ADMIN, now)
        row, token = new_token(user, "first admin", _DAYS, now)
        session.add_all([user, row])
        for event, kind, target in ((Event.CREATE_USER, "user", user.id), (Event.CREATE_TOKEN, "token", row.id)):
            session.add(
                AuditRow(time=now, event=event.value, target_type=kind, target_id=target, target_label=user.email)
            )
        session.flush()
    return token.write()


def migrate(settings: Settings) -> None:
    """Bring the database to this version's schema, making it where there is none."""
    start(settings, system_clock)


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until a signal says stop."""
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
