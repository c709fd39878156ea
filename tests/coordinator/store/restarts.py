"""A deployment that is brought down to an older schema, and started again."""

from __future__ import annotations

from typing import Any

from alembic import command
from sqlalchemy import text

from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.migrate import configuration, exclusive


def started_again(deployment: Any, *statements: str, revision: str | None = None) -> Any:
    """The same deployment after it was brought down to a revision, and edited there."""
    deployment.close()
    store = Store(deployment.settings)
    with exclusive(store) as connection:
        if revision:
            command.downgrade(configuration(connection), revision)
        for statement in statements:
            connection.execute(text(statement))
    store.close()
    fresh = type(deployment)(deployment.settings, deployment.admin)
    fresh.clock.now = deployment.clock.now
    return fresh
