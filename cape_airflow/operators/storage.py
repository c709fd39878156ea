"""Where data lies: URLs without credentials, and the storages behind Airflow connections."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cape_airflow.errors import CapeError

if TYPE_CHECKING:
    import fsspec


def refuse_credentials(*urls: str) -> None:
    """Refuse URLs that name a user or a password: arguments of tasks are stored and shown.

    Raises:
        CapeError: one of them does; it is not shown.
    """
    if any("@" in urlsplit(url).netloc for url in urls):
        raise CapeError(
            "source and target may hold no credentials; name an Airflow connection in source_conn_id or target_conn_id"
        )


def filesystem_of(url: str, conn_id: str | None) -> fsspec.AbstractFileSystem | None:
    """Return the storage of an Airflow connection; None: the URL alone says where it is."""
    if conn_id is None:
        return None
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(url, conn_id=conn_id).fs
