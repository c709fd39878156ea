"""Connections and transactions: a request is one transaction, and a reading one cannot write."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.store.models import Base
from cape_airflow.coordinator.store.recording import GroupCommit, ReadingSession, WritingSession
from cape_airflow.errors import MissingExtra


class Store:
    """The database of one coordinator process.

    Args:
        settings: which database, and how many requests may use it at once.
    """

    def __init__(self, settings: Settings) -> None:
        url = settings.database
        self.engine = _sqlite(url, settings) if url.get_backend_name() == "sqlite" else _postgresql(url, settings)
        self._writer = self.engine.execution_options(writes=True)
        self._reader = self.engine.execution_options(postgresql_readonly=True)
        self._group = GroupCommit(self.write)

    def read(self) -> ReadingSession:
        """Return a session that sees one state of the database and cannot change it."""
        return ReadingSession(self._reader, self._group.record)

    def write(self) -> WritingSession:
        """Return a session that may write; on SQLite it is the only one from its first statement on."""
        return WritingSession(self._writer)

    def connect_for_writing(self) -> Connection:
        """Return a connection that may write, for migrations."""
        return self._writer.connect()

    def close(self) -> None:
        """Close the connections that nobody uses; more are opened when they are needed."""
        self.engine.dispose()


def insert_if_absent(session: Session, table: type[Base], **values: Any) -> bool:
    """Insert a row unless its key is there already; a concurrent insert of the same key is waited for.

    Returns:
        Whether the row is new.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(table.seq)
    return session.connection().execute(statement).first() is not None


def _sqlite(url: URL, settings: Settings) -> Engine:
    path = str(url.database)
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the mode of this one
    engine = _engine(url, settings, {"timeout": settings.lock_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` says BEGIN, the driver does not
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails when another one wrote in between; taking the lock at the
    # start waits for it instead.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL, settings: Settings) -> Engine:
    seconds = settings.lock_seconds
    limits = f"-c lock_timeout={seconds}s -c statement_timeout={3 * seconds}s -c timezone=UTC"
    try:
        return _engine(url, settings, {"connect_timeout": seconds, "options": limits})
    except ModuleNotFoundError:
        raise MissingExtra("psycopg", "postgres") from None


def _engine(url: URL, settings: Settings, connect_args: dict[str, Any]) -> Engine:
    return create_engine(
        url,
        connect_args=connect_args,
        hide_parameters=True,  # an error must not carry what somebody sent
        max_overflow=2 * settings.concurrency,  # those that write, and notes of the use of tokens beside reads
        pool_pre_ping=True,
        pool_size=settings.concurrency,
        pool_timeout=settings.lock_seconds,
    )
