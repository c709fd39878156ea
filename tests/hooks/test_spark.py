from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from cape_airflow.errors import CapeError
from cape_airflow.hooks.spark import session_of


def _connection(conn_type: str = "spark", **fields: Any) -> Connection:
    extra = json.dumps(fields.pop("extra", {}))
    return Connection(conn_id="spark_default", conn_type=conn_type, extra=extra, **fields)


@pytest.mark.parametrize(
    ("host", "port", "master"),
    [
        ("local[2]", None, "local[2]"),
        ("yarn", None, "yarn"),
        ("spark://cluster", 7077, "spark://cluster:7077"),
        ("cluster", 7077, "spark://cluster:7077"),
        ("k8s://https://cluster", 6443, "k8s://https://cluster:6443"),
        (None, None, "local[*]"),
    ],
)
def test_host_and_port_of_a_connection_are_the_master(host: str | None, port: int | None, master: str) -> None:
    session = session_of(_connection(host=host, port=port), {})
    assert (session.master, session.remote) == (master, None)


def test_extras_of_the_spark_provider_become_properties_and_arguments_go_before_them() -> None:
    extra = {"queue": "night", "namespace": "jobs", "spark.executor.memory": "2g", "spark.executor.cores": 2, "x": "y"}
    session = session_of(_connection(host="yarn", extra=extra), {"spark.executor.memory": "4g"}, ["a.zip", "b.py"])
    assert session.properties == {
        "spark.yarn.queue": "night",
        "spark.kubernetes.namespace": "jobs",
        "spark.executor.memory": "4g",
        "spark.executor.cores": "2",
        "spark.submit.pyFiles": "a.zip,b.py",
    }


def test_a_connect_connection_is_a_url_with_user_and_token() -> None:
    connection = _connection(
        "spark_connect", host="sc://connect", port=443, login="ann", password="t/k;n=", extra={"use_ssl": True}
    )
    session = session_of(connection, {"spark.sql.shuffle.partitions": 2})
    assert session.remote == "sc://connect:443/;user_id=ann;token=t%2Fk%3Bn%3D;use_ssl=True"
    assert session.properties == {"spark.sql.shuffle.partitions": "2"}


def test_a_session_shows_neither_its_token_nor_its_properties() -> None:
    session = session_of(
        _connection("spark_connect", host="connect", password="canary-1", extra={"spark.x": "canary-2"}), {}
    )
    assert "canary" not in repr(session)


@pytest.mark.parametrize(
    ("connection", "py_files", "words"),
    [
        (_connection("http", host="x"), (), "of type http"),
        (_connection(host="yarn", extra={"deploy-mode": "cluster"}), (), "deploy-mode client"),
        (_connection("spark_connect", host="x"), ("a.zip",), "on Spark Connect the server has them"),
    ],
)
def test_what_cannot_be_is_refused(connection: Connection, py_files: tuple[str, ...], words: str) -> None:
    with pytest.raises(CapeError, match=words):
        session_of(connection, {}, py_files)
