"""The stored log, read in its order: for verification, sinks and exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit.chain import Entry, entry_of
from cape_airflow.coordinator.audit.events import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.store.models import AuditRow

_AT_ONCE = 500


@dataclass(frozen=True)
class Wanted:
    """Which rows are asked for; None for all.

    Args:
        event, user, project, target: a row's event, its actor's email, the label of its project, the id of its target.
        since, until: from this moment on; before that one.
    """

    event: str | None = None
    user: str | None = None
    project: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> Select[AuditRow]:
        """Return the query of these rows, in no order."""
        exact = (
            (AuditRow.event, self.event),
            (AuditRow.user_email, self.user),
            (AuditRow.project, self.project),
            (AuditRow.target_id, self.target),
        )
        conditions: list[ColumnElement[bool]] = [column == value for column, value in exact if value is not None]
        if self.since is not None:
            conditions.append(AuditRow.time >= self.since)
        if self.until is not None:
            conditions.append(AuditRow.time < self.until)
        return select(AuditRow).where(*conditions)

    def in_words(self) -> str:
        """Return what is asked for, as the log remembers it."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)}
        words = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in asked.items()}
        return ", ".join(f"{name} {value}" for name, value in words.items() if value is not None) or "everything"


def read_log(call: Call, wanted: Wanted) -> Select[AuditRow]:
    """Return the query of the rows that somebody wants to see; that he looks is recorded."""
    call.record(Event.READ_AUDIT, "audit", "log", wanted.in_words())
    return wanted.query()


def last_seq(session: Session) -> int:
    """Return the number of the newest row; 0 where there is none."""
    return session.scalar(select(func.max(AuditRow.seq))) or 0


def entries(
    open_session: Callable[[], Session], after: int, until: int, wanted: Wanted | None = None
) -> Iterator[Entry]:
    """Yield the rows above `after` up to `until`, the oldest first; no transaction is open in between."""
    query = (wanted or Wanted()).query().where(AuditRow.seq <= until).order_by(AuditRow.seq).limit(_AT_ONCE)
    while True:
        with open_session() as session:
            rows = [entry_of(row) for row in session.scalars(query.where(AuditRow.seq > after))]
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1]["seq"]
