"""Sessions that write audit rows: chained one after the other over all replicas, and on disk before the answer.

Rows are held back until the commit. Then the transaction takes its turn, reads the end of the chain, appends its rows
and commits; the order of the rows is that of the commits. The turn is short: nothing else is done in it, and on
PostgreSQL the disk is not waited for in it. A second, empty transaction waits for the disk afterwards, before anybody
is answered; PostgreSQL lets all that wait at a moment share one write. Measured: `docs/audit.md`.

What only reads needs no transaction of its own to be recorded in: the rows of all readers of a moment are written
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit.chain import FIELDS, GENESIS, link
from cape_airflow.coordinator.store.models import AuditRow

_LOCK = 0x41554449  # "AUDI": the advisory lock on PostgreSQL
_TURN = text("SELECT pg_advisory_xact_lock(:lock)")
_TURN_WITHOUT_WAITING_FOR_DISK = text(
    "SELECT pg_advisory_xact_lock(:lock), set_config('synchronous_commit', 'off', true)"
)
# Writes a record to the log of PostgreSQL, so that its commit waits until that and all before it is on disk.
_WAIT_FOR_DISK = text("SELECT pg_logical_emit_message(true, 'cape', '')")
_END = select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)


class RecordingSession(Session):
    """A session that holds audit rows back."""

    def __init__(self, bind: Engine | Connection) -> None:
        super().__init__(bind, expire_on_commit=False)
        self._held: list[AuditRow] = []

    def add(self, instance: object, *, _warn: bool = True) -> None:
        """Add a row to what is written; audit rows last."""
        if isinstance(instance, AuditRow):
            self._held.append(instance)
        else:
            super().add(instance, _warn=_warn)

    def rollback(self) -> None:
        """Undo everything since the last commit, audit rows too."""
        self._held.clear()
        super().rollback()

    def _take_held(self) -> list[AuditRow]:
        held, self._held = self._held, []
        return held


class WritingSession(RecordingSession):
    """A session that may write. On a connection that is in a transaction already it leaves the commit to that."""

    def commit(self) -> None:
        """Commit the effect and its audit rows together; on return they are on disk."""
        self.flush()
        held = self._take_held()
        on_postgresql = self.get_bind().dialect.name == "postgresql"
        waits_later = on_postgresql and bool(held) and isinstance(self.bind, Engine)
        if held:
            if on_postgresql:
                self.execute(_TURN_WITHOUT_WAITING_FOR_DISK if waits_later else _TURN, {"lock": _LOCK})
            self._append(held)
        super().commit()
        if waits_later:
            self.execute(_WAIT_FOR_DISK)
            super().commit()

    def _append(self, rows: list[AuditRow]) -> None:
        seq, head = self.execute(_END).one_or_none() or (0, GENESIS)
        link(rows, seq, head)
        values: list[dict[str, Any]] = [{name: getattr(row, name) for name in FIELDS} for row in rows]
        self.connection().execute(insert(AuditRow), values)


class ReadingSession(RecordingSession):
    """A session that sees one state of the database and cannot change it; its audit rows go to `record`."""

    def __init__(self, bind: Engine, record: Callable[[list[AuditRow]], None]) -> None:
        super().__init__(bind)
        self._record = record

    def commit(self) -> None:
        """End the transaction; on return the audit rows are on disk."""
        super().commit()
        if held := self._take_held():
            self._record(held)


@dataclass
class _Batch:
    rows: list[AuditRow] = field(default_factory=list)
    written: bool = False  # or failed for all
    trouble: SQLAlchemyError | None = None


class GroupCommit:
    """Writes the rows of several threads in one transaction: while one writes, the others gather for the next.

    Args:
        open_session: returns a session to write with.
    """

    def __init__(self, open_session: Callable[[], WritingSession]) -> None:
        self._open_session = open_session
        self._gathering = _Batch()
        self._gate = Lock()
        self._turn = Lock()

    def record(self, rows: list[AuditRow]) -> None:
        """Store rows; on return they are on disk.

        Raises:
            SQLAlchemyError: none of the rows that gathered with them is stored.
        """
        with self._gate:
            batch = self._gathering
            batch.rows += rows
        with self._turn:
            if not batch.written:
                with self._gate:
                    self._gathering = _Batch()
                self._write(batch)
        if batch.trouble is not None:
            raise batch.trouble

    def _write(self, batch: _Batch) -> None:
        try:
            with self._open_session() as session:
                session.add_all(batch.rows)
                session.commit()
        except SQLAlchemyError as error:
            batch.trouble = error
        batch.written = True
