"""Where data lies: URLs without credentials, and the storages and databases behind Airflow connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cape_airflow.errors import CapeError
from cape_airflow.urls import holds_credentials, sounds_secret

if TYPE_CHECKING:
    import fsspec

    from cape_airflow.datasets import Sink, Source
    from cape_airflow.datasets.sql import Database, Postgres
    from cape_airflow.lineage import DatasetName

MODES = ("replace", "append")
"""What happens to the rows that are in a target table already."""

_SQL = ("table:", "query:")


def refuse_credentials(*urls: str) -> None:
    """Refuse URLs that hold a user, a password or a signature: arguments of tasks are stored and shown.

    Raises:
        CapeError: one of them does; it is not shown.
    """
    if any(map(holds_credentials, urls)):
        raise CapeError(
            "source and target may hold no credentials; name an Airflow connection in source_conn_id or target_conn_id"
        )


def refuse_secret_names(where: str, *options: Mapping[str, object] | None) -> None:
    """Refuse options whose names say that they are secret: arguments of tasks are stored and shown.

    Raises:
        CapeError: one of them does; neither is shown.
    """
    if any(sounds_secret(name) for given in options for name in given or ()):
        raise CapeError(f"{where} may hold no credentials; put them into the extra of the Airflow connection")


def filesystem_of(url: str, conn_id: str | None) -> fsspec.AbstractFileSystem | None:
    """Return the storage of an Airflow connection; None: the URL alone says where it is."""
    if conn_id is None:
        return None
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(url, conn_id=conn_id).fs


def in_database(place: object) -> bool:
    """Whether a source or target is ``table:...`` or ``query:...``; what is no text yet, is not."""
    return isinstance(place, str) and place.startswith(_SQL)


def told(place: str) -> str:
    """Return a source or target for reports: a query by its digest, since its text may hold values."""
    if not in_database(place):
        return place
    from cape_airflow.datasets.sql import Query, reference

    named = reference(place)
    return str(named) if isinstance(named, Query) else f"table:{named}"


def open_source_at(place: str, conn_id: str | None, format: str | None, options: Mapping[str, Any] | None) -> Source:
    """Open what is read: files, a table or a query.

    Args:
        place: path, URL, ``table:...`` or ``query:...``.
        conn_id: Airflow connection of the storage or database.
        format: of files.
        options: of the format or database.
    """
    if in_database(place):
        from cape_airflow.datasets.sql import open_sql_source, reference

        _refuse_format(format)
        return open_sql_source(_server(place, conn_id, "source_conn_id"), reference(place), options=options)
    from cape_airflow.datasets import open_source

    return open_source(place, format=format, filesystem=filesystem_of(place, conn_id), options=options)


def open_sink_at(place: str, conn_id: str | None, format: str | None, job_id: str, mode: str) -> Sink:
    """Name what is written: files or a table.

    Args:
        place: path, URL or ``table:...``.
        conn_id: Airflow connection of the storage or database.
        format: of files.
        job_id: the same for all tries of a task.
        mode: one of `MODES`; files are always replaced.

    Raises:
        CapeError: the mode is not known, or not for files; or the target is a query.
    """
    if mode not in MODES or (mode != "replace" and not in_database(place)):
        raise CapeError(f"target_mode is {' or '.join(MODES)}, and files are always replaced")
    if not in_database(place):
        from cape_airflow.datasets import open_sink

        return open_sink(place, format=format, filesystem=filesystem_of(place, conn_id), job_id=job_id)
    from cape_airflow.datasets.sql import Table, Write, open_sql_sink, reference

    _refuse_format(format)
    table = reference(place)
    if not isinstance(table, Table):
        raise CapeError("a target is a table; queries are read only")
    return open_sql_sink(_server(place, conn_id, "target_conn_id"), table, job_id=job_id, write=Write(mode))


def lineage_name(place: object, conn_id: str | None) -> DatasetName | None:
    """Return what OpenLineage calls files or a table; None for what has no name there: a query, or no text."""
    from cape_airflow.lineage import dataset_name

    if not isinstance(place, str) or not place:
        return None
    if not in_database(place):
        return dataset_name(place)
    from cape_airflow.datasets.sql import Table, reference
    from cape_airflow.hooks.databases import table_dataset

    table = reference(place)
    if conn_id is None or not isinstance(table, Table):
        return None
    return table_dataset(conn_id, table.schema, table.name)


def _server(place: str, conn_id: str | None, argument: str) -> Postgres | Database:
    from cape_airflow.hooks.databases import sql_server

    if conn_id is None:
        raise CapeError(f"a {place.partition(':')[0]} lies in a database: name its Airflow connection in {argument}")
    return sql_server(conn_id)


def _refuse_format(format: str | None) -> None:
    if format is not None:
        raise CapeError("databases have no file format; give none")
