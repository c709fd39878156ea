"""Names of datasets as OpenLineage's naming conventions have them, so that events of several producers meet."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass

from cape_airflow.urls import holds_credentials

_PARTITION = re.compile(r"[^/=]+=[^/]*")
_QUERY = re.compile(r"[?#][^/]*=.*", re.DOTALL)  # elsewhere a question mark is a wildcard, and # is part of a name
_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss", "local": "file"}
_BUCKETS = {"s3", "gs", "abfss", "wasbs"}  # their names begin without a slash


@dataclass(frozen=True)
class DatasetName:
    """Where a dataset lives, and what it is called there."""

    namespace: str
    name: str


def dataset_name(place: str) -> DatasetName | None:
    """Return the name of files; None where the URL holds a credential.

    A glob is named by the folder before its first wildcard, and a partition by the folder of the whole: the value of
    a partition column is data. User, query and fragment stay out.

    Args:
        place: path or URL of a file, a glob or a folder.
    """
    if holds_credentials(place):
        return None
    scheme, separator, rest = place.rpartition("::")[2].partition("://")
    if not separator:
        return DatasetName("file", _whole(os.path.abspath(place)))
    scheme = _SCHEMES.get(scheme, scheme)
    host, _, path = rest.partition("/")
    path = re.split("[?#]", path)[0] if scheme in {"http", "https"} else _QUERY.sub("", path)
    if scheme == "file":
        return DatasetName("file", _whole(f"/{path}"))
    return DatasetName(f"{scheme}://{host}", _whole(path if scheme in _BUCKETS else f"/{path}"))


def table_name(kind: str, host: str, port: int, *parts: str) -> DatasetName:
    """Return the name of a table of a database server.

    Args:
        kind: the convention's word for the server, e.g. ``postgres``.
        host, port: of the server.
        parts: from the database to the table, as the convention has them, e.g. database, schema, table.
    """
    return DatasetName(f"{kind}://{host}:{port}", ".".join(parts))


def _whole(path: str) -> str:
    """Return the path up to the first wildcard or partition."""
    kept: list[str] = []
    for part in path.rstrip("/").split("/"):
        if glob.has_magic(part) or _PARTITION.fullmatch(part):
            break
        kept.append(part)
    return "/".join(kept) or "/"
