"""All or nothing on object stores and other filesystems of fsspec, by its transactions.

On an object store the bytes go up as the parts of a multipart upload; completing it shows the object at once. A
process that is killed leaves an upload that is not completed, which nobody sees; let the store expire those.
The parts of a folder carry the attempt in their names and become visible one after the other, the manifest last: who
reads by the manifest sees the old output or the new. The parts that it replaces are removed after it.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import BinaryIO, cast

import fsspec

from cape_airflow.datasets.location import Location
from cape_airflow.datasets.staging import Staging, is_ours
from cape_airflow.errors import DatasetError


class Objects(Staging):
    """One object, or a folder of them.

    Args:
        target: the object, or the prefix.
        folder: whether it is a prefix.
    """

    def __init__(self, target: Location, folder: bool) -> None:
        self._filesystem = _private(target.filesystem)
        self._path = target.path
        self._folder = folder
        self._replaced: list[str] = []
        self._written: set[str] = set()
        self.mark = f"-{secrets.token_hex(8)}" if folder else ""

    def prepare(self) -> None:
        """Look at what is there, and begin a transaction."""
        if self._folder:
            self._replaced = self._filesystem.find(self._path)
            foreign = sum(not is_ours(name.removeprefix(f"{self._path}/")) for name in self._replaced)
            if foreign:
                raise DatasetError(f"{self._path} holds {foreign} objects that are no earlier output; use a new folder")
        self._filesystem.start_transaction()

    def create(self, name: str) -> BinaryIO:
        """Open the next object; it stays unseen until it is published.

        Raises:
            DatasetError: the filesystem does not take part in transactions, and would show it at once.
        """
        path = f"{self._path}/{name}" if self._folder else self._path
        self._written.add(path)
        file = self._filesystem.open(path, "wb")
        if len(self._filesystem.transaction.files) < len(self._written):
            file.close()
            self._filesystem.rm(path)
            raise DatasetError(f"{type(self._filesystem).__name__} cannot write all or nothing; use another storage")
        return cast(BinaryIO, file)

    def seal(self, file: BinaryIO) -> None:
        """Send the last bytes."""
        file.close()

    def publish(self) -> None:
        """Complete the uploads in the order in which they were opened."""
        self._filesystem.end_transaction()
        replaced = [name for name in self._replaced if name not in self._written]
        if replaced:
            with suppress(FileNotFoundError):  # another attempt removed some already
                self._filesystem.rm(replaced)

    def discard(self) -> None:
        """Abort the uploads."""
        if self._filesystem._intrans:
            self._filesystem.transaction.complete(commit=False)


def _private(filesystem: fsspec.AbstractFileSystem) -> fsspec.AbstractFileSystem:
    """Return another instance of a filesystem: a transaction holds for everything that is written through one."""
    options = {**filesystem.storage_options, "skip_instance_cache": True}
    return type(filesystem)(*filesystem.storage_args, **options)
