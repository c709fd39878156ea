"""What Alembic runs: the revisions, over the connection and in the transaction that `migrate` gives."""

from __future__ import annotations

from alembic import context

from cape_airflow.coordinator.store.migrate import VERSION_TABLE
from cape_airflow.coordinator.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
