"""Where data lies: URLs without credentials, and the storages behind Airflow connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cape_airflow.errors import CapeError
from cape_airflow.urls import holds_credentials, sounds_secret

if TYPE_CHECKING:
    import fsspec


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
