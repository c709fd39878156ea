from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cape_airflow.datasets.sql import Database, Postgres
from cape_airflow.errors import CapeError
from cape_airflow.hooks.databases import sql_server, table_dataset


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(**given: Any) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(given))
        return "warehouse"

    return connect


def test_a_connection_of_postgres_becomes_an_address_of_libpq_with_all_of_its_extra(connect: Any) -> None:
    server = sql_server(
        connect(
            conn_type="postgres",
            host="::1",
            login="a&b",
            password="p@ss w/%",
            schema="pay",
            port=5433,
            extra={"sslmode": "require", "cursor": "dictcursor"},
        )
    )
    assert isinstance(server, Postgres)
    assert {name: value for name, (value,) in parse_qs(urlsplit(server.uri).query).items()} == {
        "host": "::1",
        "port": "5433",
        "user": "a&b",
        "password": "p@ss w/%",
        "dbname": "pay",
        "sslmode": "require",
    }
    assert "p@ss" not in repr(server)
    assert "p%40ss" not in repr(server)


def test_a_log_in_that_is_not_known_is_refused(connect: Any) -> None:
    with pytest.raises(CapeError, match="logs in by iam"):
        sql_server(connect(conn_type="postgres", host="db", extra={"iam": True}))


def test_a_connection_of_another_database_becomes_an_address_of_sqlalchemy(connect: Any) -> None:
    server = sql_server(connect(conn_type="sqlite", host="/tmp/pay.db"))
    assert isinstance(server, Database)
    assert str(server.url) == "sqlite:////tmp/pay.db"


def test_a_connection_that_is_no_database_is_refused(connect: Any) -> None:
    with pytest.raises(CapeError, match="is of type cape, which is no SQL database"):
        sql_server(connect(conn_type="cape", host="coordinator"))


def test_a_table_of_postgres_has_a_name_in_openlineage_and_others_have_none(connect: Any) -> None:
    name = table_dataset(connect(conn_type="postgres", host="db", schema="pay"), None, "people")
    assert (name.namespace, name.name) == ("postgres://db:5432", "pay.public.people")
    assert table_dataset(connect(conn_type="sqlite", host="/tmp/pay.db"), None, "people") is None
