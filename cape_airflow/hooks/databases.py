"""Databases behind Airflow connections, as plain descriptions: nothing is logged, and no method of a hook is run.

`DbApiHook` logs statements, and on some failures the rows. Of a hook only the address is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from cape_airflow.errors import CapeError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from cape_airflow.datasets.sql import Database, Postgres
    from cape_airflow.lineage import DatasetName

POSTGRES = "postgres"
_PORT = 5432
_NOT_LIBPQ = {"cursor", "sqlalchemy_scheme", "sqlalchemy_query"}  # of the extra, for Airflow's own hook
_OTHER_LOGINS = ("iam", "redshift", "redshift-serverless", "azure_conn_id")


def sql_server(conn_id: str) -> Postgres | Database:
    """Return the database of a connection: of type ``postgres``, or any whose hook is a `DbApiHook`.

    Raises:
        CapeError: the connection is of another type, or logs in in a way that is not known here.
    """
    from cape_airflow.datasets.sql import Database, Postgres

    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type == POSTGRES:
        return Postgres(_libpq_uri(connection), conn_id)
    return Database(_sqlalchemy_url(connection), conn_id)


def table_dataset(conn_id: str, schema: str | None, table: str) -> DatasetName | None:
    """Return the name of a table in OpenLineage; None where its server has no name there.

    Args:
        conn_id: of the database.
        schema: None for the usual one.
        table: its name.
    """
    from cape_airflow.lineage.naming import table_name

    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type != POSTGRES or not connection.host:
        return None
    port = connection.port or _PORT
    return table_name(POSTGRES, connection.host, port, connection.schema or "", schema or "public", table)


def _libpq_uri(connection: Connection) -> str:
    extra: dict[str, Any] = connection.extra_dejson
    if other := [name for name in _OTHER_LOGINS if extra.get(name)]:
        raise CapeError(f"connection {connection.conn_id} logs in by {other[0]}; give one with user and password")
    given = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.login,
        "password": connection.password,
        "dbname": connection.schema,
        **{name: value for name, value in extra.items() if name not in _NOT_LIBPQ},
    }
    if connection.password:
        mask_secret(quote(connection.password, safe=""))
    # All as parameters: sockets and addresses of IPv6 need no rules of their own then.
    words = {name: str(value) for name, value in given.items() if value not in (None, "")}
    return f"postgresql://?{urlencode(words, quote_via=quote)}"


def _sqlalchemy_url(connection: Connection) -> Any:
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise CapeError("SQL needs the package apache-airflow-providers-common-sql") from None
    hook = connection.get_hook()  # type: ignore[no-untyped-call]  # Airflow's
    if not isinstance(hook, DbApiHook):
        raise CapeError(f"connection {connection.conn_id} is of type {connection.conn_type}, which is no SQL database")
    hook.log_sql = False
    try:
        return hook.sqlalchemy_url
    except NotImplementedError:
        return hook.get_uri()
