"""Where data lies: URLs without credentials, and the storages behind Airflow connections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cape_airflow.errors import CapeError

if TYPE_CHECKING:
    import fsspec

# Secrets may hold `/`, `?` and `::`, so that no part of a URL is trusted to end where a standard says it does.
_AUTHORITY = re.compile(r"(?=://([^/?#\\]*))")  # looks ahead, since one may reach into the next: zip://x::s3://
_PARAMETER = re.compile(r"[?&;#]([^=&;#/]+)=")
_SECRET = re.compile(r"(^|[^a-z])sig($|[^a-z])|signature|token|key|credential|passw|secret", re.IGNORECASE)


def refuse_credentials(*urls: str) -> None:
    """Refuse URLs that hold a user, a password or a signature: arguments of tasks are stored and shown.

    Raises:
        CapeError: one of them does; it is not shown.
    """
    if any(_holds_user(url) or _holds_secret(url) for url in urls):
        raise CapeError(
            "source and target may hold no credentials; name an Airflow connection in source_conn_id or target_conn_id"
        )


def refuse_secret_names(where: str, *options: Mapping[str, object] | None) -> None:
    """Refuse options whose names say that they are secret: arguments of tasks are stored and shown.

    Raises:
        CapeError: one of them does; neither is shown.
    """
    if any(_SECRET.search(name) for given in options for name in given or ()):
        raise CapeError(f"{where} may hold no credentials; put them into the extra of the Airflow connection")


def filesystem_of(url: str, conn_id: str | None) -> fsspec.AbstractFileSystem | None:
    """Return the storage of an Airflow connection; None: the URL alone says where it is."""
    if conn_id is None:
        return None
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(url, conn_id=conn_id).fs


def _holds_user(url: str) -> bool:
    """Whether one of the chained parts (`simplecache::s3://...`) has an `@` where its authority may still go on."""
    return any(
        "@" in found[1] or (":" in found[1].partition("::")[0] and "@" in url[found.end(1) :])
        for found in _AUTHORITY.finditer(url)
    )


def _holds_secret(url: str) -> bool:
    return "://" in url and any(_SECRET.search(unquote(name)) for name in _PARAMETER.findall(url))
