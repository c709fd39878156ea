"""Bring the database to this version's schema: one process at a time, all revisions in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import Connection, text

from cape_airflow.coordinator.store.store import Store
from cape_airflow.errors import CoordinatorError

VERSION_TABLE = "alembic_version_cape"
_LOCK = 0x43415045  # "CAPE": the advisory lock on PostgreSQL
_LOCK_SECONDS = 120
_SCRIPTS = Path(__file__).with_name("migrations")


@contextmanager
def exclusive(store: Store) -> Iterator[Connection]:
    """Yield the one connection that may change the schema now, in a transaction that commits at the end.

    Other processes wait: at a file beside a SQLite database, at an advisory lock of PostgreSQL.
    """
    url = store.engine.url
    if url.get_backend_name() == "sqlite":
        with FileLock(f"{url.database}.lock", timeout=_LOCK_SECONDS, mode=0o600), _transaction(store) as connection:
            yield connection
    else:
        with _transaction(store) as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


def upgrade(connection: Connection, revision: str = "head") -> str | None:
    """Run the missing revisions.

    Returns:
        The revision before; None where there was nothing.

    Raises:
        CoordinatorError: the database is of a newer version of cape_airflow.
    """
    config = configuration(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if present is not None and present not in known:
        raise CoordinatorError(
            f"the database is at revision {present}, which this version of cape_airflow does not know; upgrade it"
        )
    command.upgrade(config, revision)
    return present


def is_current(connection: Connection) -> bool:
    """Return whether the database has this version's schema."""
    present = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    return present == _newest()


@cache
def _newest() -> str | None:
    return ScriptDirectory(str(_SCRIPTS)).get_current_head()


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration for that connection, without a file."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _transaction(store: Store) -> Iterator[Connection]:
    with store.connect_for_writing() as connection, connection.begin():
        yield connection
