"""A new root key: all that the old one wraps or seals is wrapped or sealed again, in one transaction.

Coordinators that run meanwhile wait, and then know only the old key: they refuse everything until they are started
again with the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from cape_airflow.coordinator import project_keys, replay, signing
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.root_key import RootKey, make_root_key_file, read_root_key_file
from cape_airflow.coordinator.root_keys import is_uri, serve_new_root_key, withdraw_root_key
from cape_airflow.coordinator.seals import Seals
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.startup import start
from cape_airflow.coordinator.store import WritingSession
from cape_airflow.coordinator.store.migrate import exclusive
from cape_airflow.coordinator.store.models import (
    AuditRow,
    Base,
    KeyVersion,
    Replay,
    Sealed,
    ServedRootKey,
    SigningKey,
    Token,
)
from cape_airflow.errors import CoordinatorError, KeyUnavailable

_AT_ONCE = 500

_PLACES: dict[type[Base], Callable[[Session, Any], tuple[str, ...]]] = {
    KeyVersion: lambda _, row: project_keys.place(row),
    Replay: lambda session, row: replay.place(session.get_one(Token, row.token_seq), row.key),
    SigningKey: lambda _, row: signing.place(row.key_id),
}


def rotate_root_key(settings: Settings, new: str) -> int:
    """Put a new root key in the place of the one that the settings name.

    Args:
        new: a file, which is made where it is missing; or the URI of a key service, which wraps a new root key.

    Returns:
        How many rows were wrapped or sealed again.

    Raises:
        KeyUnavailable: the old or the new key cannot be had, or they are the same.
        CoordinatorError: a row was edited by hand. Nothing is changed then.
    """
    coordinator = start(settings, system_clock)
    with closing(coordinator.store), exclusive(coordinator.store) as connection, WritingSession(connection) as session:
        _stop_others(session)
        root_key = _new_root_key(coordinator, session, new)
        count = _wrap_again(session, coordinator.root_key, root_key) + _seal_again(session, coordinator.seals, root_key)
        target = {"target_type": "root-key", "target_id": "root", "target_label": f"{count} rows"}
        session.add(AuditRow(time=coordinator.clock(), event=Event.ROTATE_ROOT_KEY.value, **target))
        session.commit()
    return count


def wrapped_tables() -> frozenset[type[Base]]:
    """Return the tables with secrets that the root key wraps."""
    return frozenset(table for table in _tables() if "wrapped" in table.__table__.columns) - {ServedRootKey}


def sealed_tables() -> frozenset[type[Sealed]]:
    """Return the tables whose rows are sealed."""
    return frozenset(table for table in _tables() if issubclass(table, Sealed))


def _tables() -> list[type[Base]]:
    return [mapper.class_ for mapper in Base.registry.mappers]


def _stop_others(session: Session) -> None:
    """Wait for the transactions of others, and keep new ones from reading: what they seal would be lost."""
    if session.get_bind().dialect.name == "postgresql":
        names = sorted(str(table.__tablename__) for table in wrapped_tables() | sealed_tables())
        session.execute(text(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE"))


def _new_root_key(coordinator: Coordinator, session: Session, new: str) -> RootKey:
    if is_uri(new):
        return serve_new_root_key(new, session, coordinator.clock())
    file = Path(new)
    if not file.exists():
        make_root_key_file(file)
    root_key = RootKey(read_root_key_file(file))
    if root_key.derive("comparison") == coordinator.root_key.derive("comparison"):
        raise KeyUnavailable(f"{file} holds the present root key; name a file that is not there, and it is made")
    withdraw_root_key(session)
    return root_key


def _wrap_again(session: Session, old: RootKey, new: RootKey) -> int:
    count = 0
    for table in wrapped_tables():
        for row in _rows(session, table):
            if row.wrapped is not None:
                place = _PLACES[table](session, row)
                row.wrapped = new.wrap(old.unwrap(row.wrapped, *place), *place)
                count += 1
    return count


def _seal_again(session: Session, old: Seals, root_key: RootKey) -> int:
    new, count = Seals(root_key), 0
    for table in sealed_tables():
        for row in _rows(session, table):
            if not old.intact(row):
                where = f"row {row.seq} of table {table.__tablename__}"
                raise CoordinatorError(f"{where} was edited by hand; put it right, or remove it, first")
            new.put(row)
            count += 1
    return count


def _rows(session: Session, table: type[Base]) -> Iterator[Any]:
    """Yield the rows of a table, and write what was changed in them."""
    last = -1
    while rows := session.scalars(select(table).where(table.seq > last).order_by(table.seq).limit(_AT_ONCE)).all():
        yield from rows
        session.flush()
        last = rows[-1].seq
