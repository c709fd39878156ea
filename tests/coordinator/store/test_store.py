from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.store import Store, insert_if_absent
from cape_airflow.coordinator.store.models import Project
from cape_airflow.errors import MissingExtra

NEW = {"id": "x" * 26, "name": "x", "description": "", "created_at": datetime(2026, 1, 1, tzinfo=UTC), "seal": b""}


@pytest.fixture
def store(deployment: Any) -> Store:
    store: Store = deployment.app.state.coordinator.store
    return store


def test_a_reading_session_cannot_write(store: Store) -> None:
    with store.read() as session, pytest.raises(DBAPIError, match=r"read-?only"):
        session.execute(text("UPDATE projects SET name = 'x'"))
    with store.write() as session:
        session.execute(text("UPDATE projects SET name = 'x'"))
        session.commit()


def test_a_session_that_is_not_committed_changes_nothing(store: Store) -> None:
    with store.write() as session:
        session.execute(text("UPDATE projects SET name = 'x'"))
    with store.read() as session:
        assert session.scalars(select(Project.name)).all() == ["customers"]


def test_a_writing_session_that_read_first_waits_for_another_and_does_not_fail(store: Store) -> None:
    for number in range(3):
        with store.write() as session:
            session.scalars(select(Project)).all()
            session.execute(text(f"UPDATE projects SET name = 'n{number}'"))
            session.commit()


def test_an_insert_says_whether_the_row_is_new(store: Store) -> None:
    with store.write() as session:
        assert insert_if_absent(session, Project, label="new", **NEW)
        assert not insert_if_absent(session, Project, label="new", **NEW)


def test_moments_come_back_in_utc_from_any_zone(store: Store) -> None:
    moment = datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=-5)))
    with store.write() as session:
        session.add(Project(label="new", **NEW | {"created_at": moment}))
        session.commit()
    with store.read() as session:
        stored = session.scalars(select(Project.created_at).where(Project.label == "new")).one()
    assert (stored, stored.utcoffset()) == (moment, timedelta(0))


def test_errors_of_the_database_do_not_carry_what_was_sent(store: Store) -> None:
    with store.write() as session, pytest.raises(DBAPIError) as failed:
        session.execute(text("SELECT * FROM nothing WHERE a = :secret"), {"secret": "canary"})
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_sqlite_writes_ahead_syncs_every_commit_and_checks_references(store: Store) -> None:
    with store.read() as session:
        pragmas = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    with store.write() as session, pytest.raises(DBAPIError, match="FOREIGN KEY"):
        session.execute(
            text(
                "INSERT INTO comments (suggestion_seq, author_seq, text, created_at)"
                " VALUES (999, 999, 'x', '2026-01-01')"
            )
        )


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"cape-airflow\[postgres\]"):
        Store(Settings(db_url=SecretStr("postgresql://x/y")))
