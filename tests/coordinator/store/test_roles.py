"""L2: on PostgreSQL, who runs the service cannot change the audit log, and cannot take away what hinders him."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise, migrate
from cape_airflow.coordinator.settings import Settings

pytestmark = pytest.mark.integration

ATTEMPTS = (
    "UPDATE audit SET event = 'nothing'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "INSERT INTO audit SELECT * FROM audit LIMIT 1 ON CONFLICT (seq) DO UPDATE SET event = 'nothing'",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_no_change ON audit",
    "DROP TABLE audit",
    "CREATE OR REPLACE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "UPDATE alembic_version_cape SET version_num = '0000'",
)


@dataclass(frozen=True)
class TwoRoles:
    """The settings of who owns the tables, and of who runs the service."""

    owner: Settings
    service: Settings


@pytest.fixture
def two_roles(postgresql: Any, tmp_path: Any) -> Iterator[TwoRoles]:
    role = f"service_{secrets.token_hex(4)}"
    url = postgresql.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")

    def settings(url: str) -> Settings:
        return Settings(home=tmp_path, db_url=SecretStr(url), db_role=role, root_key=SecretStr("A" * 43))

    yield TwoRoles(settings(url), settings(url.replace("//cape@", f"//{role}@")))
    postgresql.drop(url)
    with psycopg.connect(f"{postgresql.address}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP ROLE {role}")


def test_L2_the_service_runs_as_a_role_that_cannot_change_the_log(two_roles: TwoRoles) -> None:
    migrate(two_roles.owner)
    assert initialise(two_roles.service, "admin@example.com", "Ada")
    create_app(two_roles.service).state.coordinator.store.close()
    assert two_roles.service.db_url is not None
    with psycopg.connect(two_roles.service.db_url.get_secret_value(), autocommit=True) as connection:
        before = connection.execute("SELECT * FROM audit ORDER BY seq").fetchall()
        assert len(before) == 2
        for attempt in ATTEMPTS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attempt)
        assert connection.execute("SELECT * FROM audit ORDER BY seq").fetchall() == before
