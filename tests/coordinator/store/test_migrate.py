from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.startup import start
from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.migrate import VERSION_TABLE, configuration, exclusive, upgrade
from cape_airflow.coordinator.store.models import Base
from cape_airflow.errors import CoordinatorError, KeyUnavailable


@pytest.fixture
def store(maker: Any) -> Any:
    store = Store(maker.empty_settings())
    yield store
    store.close()


def test_the_migrations_make_the_schema_of_the_models(store: Store) -> None:
    with exclusive(store) as connection:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_A9_every_revision_goes_up_and_down_and_up_again(store: Store) -> None:
    with exclusive(store) as connection:
        script = ScriptDirectory.from_config(configuration(connection))
        for revision in reversed([one.revision for one in script.walk_revisions()]):
            upgrade(connection, revision)
            command.downgrade(configuration(connection), "-1")
            upgrade(connection, revision)
        command.downgrade(configuration(connection), "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]


def test_A9_a_migration_that_dies_leaves_nothing_behind(store: Store) -> None:
    def die() -> None:
        with exclusive(store) as connection:
            upgrade(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()
    with exclusive(store) as connection:
        assert inspect(connection).get_table_names() == []
        upgrade(connection)


def test_A9_an_older_program_refuses_a_newer_schema(maker: Any) -> None:
    deployment = maker.deployment()
    with deployment.app.state.coordinator.store.write() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        session.commit()
    with pytest.raises(CoordinatorError, match="9999"):
        create_app(deployment.settings)


def test_another_root_key_refuses_to_start(maker: Any) -> None:
    settings = maker.settings()
    other = settings.model_copy(update={"root_key": type(settings.root_key)("A" * 43)})
    with pytest.raises(KeyUnavailable, match="not of this root key"):
        create_app(other)


def test_processes_that_start_at_the_same_moment_agree_on_one_signing_key(maker: Any) -> None:
    settings = maker.empty_settings()
    with ThreadPoolExecutor(4) as pool:
        coordinators = list(pool.map(lambda _: start(settings, system_clock), range(4)))
    assert len({coordinator.signer.key_id for coordinator in coordinators}) == 1
    for coordinator in coordinators:
        coordinator.store.close()


def test_airflows_own_version_table_is_left_alone(store: Store) -> None:
    with exclusive(store) as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('airflow')"))
        upgrade(connection)
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [("airflow",)]
