"""Which files a URL stands for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import fsspec
from fsspec.core import has_magic

from cape_airflow.datasets.location import Location
from cape_airflow.errors import DatasetError

MANIFEST = "_cape_manifest.json"
"""Names the files of a folder that a sink wrote; files beside them are leftovers and are not read."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source: where it is, and its bytes."""

    location: Location
    size: int


def list_files(location: Location) -> list[SourceFile]:
    """Return the files of a file, glob or folder, sorted by path.

    Names that start with a dot or an underscore are no data (temporary files, marks such as ``_SUCCESS``); a folder
    of a partition column that starts with an underscore, ``_day=1``, is.

    Raises:
        DatasetError: a file that the folder's manifest names is gone.
    """
    filesystem, path = location.filesystem, location.path
    filesystem.invalidate_cache()
    if filesystem.isfile(path):
        found = {path: filesystem.info(path)}
    elif has_magic(path):
        found = filesystem.glob(path, detail=True)
    else:
        found = _by_manifest(filesystem, path, filesystem.find(path, detail=True))
    base = fixed_part(path)
    return [
        SourceFile(location.at(name), int(info["size"] or 0))
        for name, info in sorted(found.items())
        if info["type"] == "file" and (name == path or not _hidden(name.removeprefix(base)))
    ]


def named_files(manifest: bytes) -> list[str]:
    """Return the names of the files that a manifest names, as they are in its folder."""
    return [file["name"] for file in json.loads(manifest)["files"]]


def said_by_manifest(location: Location) -> dict[bytes, bytes]:
    """Return policy and job as the manifest of a folder names them, as the metadata of a file does.

    Spark's files have no metadata of ours. Empty where there is no manifest, and for what it does not name.
    """
    path = f"{location.path}/{MANIFEST}"
    if has_magic(path) or not location.filesystem.isfile(path):
        return {}
    written = json.loads(location.filesystem.cat_file(path))
    return {f"cape.{name}".encode(): written[name].encode() for name in ("policy_digest", "job_id") if name in written}


def fixed_part(path: str) -> str:
    """Return the path up to the first part with a wildcard."""
    parts = path.split("/")
    magic = [number for number, part in enumerate(parts) if has_magic(part)]
    return "/".join(parts[: magic[0]]) if magic else path


def _by_manifest(filesystem: fsspec.AbstractFileSystem, folder: str, found: dict[str, Any]) -> dict[str, Any]:
    manifest = f"{folder}/{MANIFEST}"
    if manifest not in found:
        return found
    names = [f"{folder}/{name}" for name in named_files(filesystem.cat_file(manifest))]
    for name in names:
        if name not in found:
            raise DatasetError(f"the manifest names {PurePosixPath(name).name}, which is gone; write the folder again")
    return {name: found[name] for name in names}


def _hidden(path: str) -> bool:
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in path.split("/"))
