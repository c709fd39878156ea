"""Where a dataset is: a filesystem and a path, local or behind any fsspec URL."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from cape_airflow.datasets.failures import attempt
from cape_airflow.errors import MissingExtra

_EXTRAS = {"s3fs": "s3", "boto3": "s3", "botocore": "s3", "aiobotocore": "s3"}

_PARTITION = re.compile(r"(?<![^/])([^/=]+)=[^/]*(?=/)")
_USER = re.compile(r"://[^/]*@")
_QUERY = re.compile(r"[?#].*", re.DOTALL)


@dataclass(frozen=True)
class Location:
    """A place in a filesystem.

    Args:
        filesystem: an fsspec filesystem.
        path: the path in it, without protocol; absolute on the local disk.
        folder: the URL ended with a slash.
    """

    filesystem: fsspec.AbstractFileSystem
    path: str
    folder: bool

    @cached_property
    def local(self) -> bool:
        """Whether it is on this machine's disk."""
        return isinstance(self.filesystem, LocalFileSystem)

    @cached_property
    def name(self) -> str:
        """The place for people: a path, or a URL without credentials and options; of partitions only the columns."""
        path = _PARTITION.sub(r"\1=…", self.path)
        return path if self.local else shown(self.filesystem.unstrip_protocol(path))

    @cached_property
    def identity(self) -> tuple[str, str]:
        """Equal for two names of the same place: links of the local disk are followed."""
        if self.local:
            return "file", os.path.realpath(self.path)
        return type(self.filesystem).__name__, self.path

    def holds(self, other: Location) -> bool:
        """Whether `other` is this place, or below it."""
        (kind, path), (other_kind, other_path) = self.identity, other.identity
        return kind == other_kind and (other_path + "/").startswith(path.rstrip("/") + "/")

    def at(self, path: str) -> Location:
        """Return another place of the same filesystem."""
        return Location(self.filesystem, path, folder=False)


def shown(url: str) -> str:
    """Return a URL for people: without user, password and query, which may be a signature."""
    if "://" not in url:
        return url
    return _QUERY.sub("?…", _USER.sub("://", url))


def locate(
    url: str,
    storage_options: Mapping[str, Any] | None = None,
    filesystem: fsspec.AbstractFileSystem | None = None,
) -> Location:
    """Find the filesystem of a URL or path.

    Args:
        url: a local path or any URL that fsspec knows; with `filesystem`, a URL or path of that filesystem.
        storage_options: for the filesystem, e.g. ``endpoint_url`` or credentials; never shown.
        filesystem: one that exists already; `storage_options` are then not used.

    Raises:
        DatasetError: the URL or an option is wrong.
        MissingExtra: the package for this protocol is not installed.
    """
    folder = url.endswith("/")
    if filesystem is not None:
        path = _stripped(filesystem, url)
        while isinstance(filesystem, DirFileSystem):  # it would pass transactions by
            filesystem, path = filesystem.fs, filesystem._join(path)
        return Location(filesystem, path, folder)
    filesystem, path = attempt(lambda: _filesystem_of(url, storage_options or {}), "open the storage of a URL")
    return Location(filesystem, path if len(path) < 2 else path.rstrip("/"), folder)


def _stripped(filesystem: fsspec.AbstractFileSystem, url: str) -> str:
    path = str(filesystem._strip_protocol(url))
    return path if len(path) < 2 else path.rstrip("/")


def _filesystem_of(url: str, options: Mapping[str, Any]) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        filesystem, path = url_to_fs(url, **options)
    except ImportError as error:
        protocol = url.partition("://")[0]
        package = error.name or protocol
        raise MissingExtra(package, _EXTRAS.get(package, protocol)) from None
    return filesystem, str(path)
