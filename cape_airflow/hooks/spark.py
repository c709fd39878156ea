"""Spark as Airflow connections describe it: the types `spark` and `spark_connect` of Airflow's Spark provider.

The provider need not be installed: it brings pyspark-client, which overwrites pyspark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk.log import mask_secret

from cape_airflow.errors import CapeError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from cape_airflow.engines.spark.messages import Session

_FOR_CLIENTS = {
    "queue": "spark.yarn.queue",
    "namespace": "spark.kubernetes.namespace",
    "keytab": "spark.kerberos.keytab",
    "principal": "spark.kerberos.principal",
}
"""Extras of the type `spark`, and the properties that they stand for."""


def session_of(connection: Connection, conf: Mapping[str, Any], py_files: Sequence[str] = ()) -> Session:
    """Return which Spark a connection means.

    Args:
        connection: of type `spark` (host and port are the master) or `spark_connect` (host and port of the server,
            login the user, password the token, extra `use_ssl`). Extras that begin with ``spark.`` are properties.
        conf: further properties; they go before those of the connection.
        py_files: zips and modules for the executors.

    Raises:
        CapeError: the connection is of another type, or asks for what cannot be.
    """
    from cape_airflow.engines.spark.messages import Session

    extras = connection.extra_dejson
    properties = {key: str(value) for key, value in extras.items() if key.startswith("spark.")}
    if connection.conn_type == "spark_connect":
        if py_files:
            raise CapeError("py_files are for the executors of an application; on Spark Connect the server has them")
        given = {**properties, **_texts(conf)}
        return Session(remote=_connect_url(connection, extras), properties=given)
    if connection.conn_type != "spark":
        raise CapeError(
            f"connection {connection.conn_id} is of type {connection.conn_type}, not spark or spark_connect"
        )
    if extras.get("deploy-mode", "client") != "client":
        raise CapeError(
            "the driver runs on the worker, where it is handed its keys (deploy-mode client); for a driver elsewhere, "
            "use Spark Connect"
        )
    properties |= {_FOR_CLIENTS[key]: str(value) for key, value in extras.items() if key in _FOR_CLIENTS}
    shipped = {"spark.submit.pyFiles": ",".join(py_files)} if py_files else {}
    return Session(master=_master(connection), properties={**properties, **shipped, **_texts(conf)})


def _texts(conf: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in conf.items()}


def _master(connection: Connection) -> str:
    host = connection.host or "local[*]"
    if connection.conn_type == "spark" and "://" not in host and connection.port:
        host = f"spark://{host}"
    return f"{host}:{connection.port}" if connection.port else host


def _connect_url(connection: Connection, extras: Mapping[str, Any]) -> str:
    host = (connection.host or "localhost").removeprefix("sc://")
    parts = {"user_id": connection.login, "token": connection.password, "use_ssl": extras.get("use_ssl")}
    if connection.password:
        mask_secret(connection.password)
    given = "".join(f";{name}={quote(str(value), safe='')}" for name, value in parts.items() if value is not None)
    return f"sc://{host}:{connection.port or 15002}/{given}"
