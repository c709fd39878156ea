"""All or nothing on object stores and other filesystems of fsspec, by its transactions.

On an object store the bytes go up as the parts of a multipart upload; completing it shows the object at once. A
process that is killed leaves an upload that is not completed, which nobody sees; let the store expire those.
The parts of a folder carry the attempt in their names and become visible one after the other, the manifest last: who
reads by the manifest sees the old output or the new. Parts that it does not name are removed after it.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import BinaryIO, cast

import fsspec

from cape_airflow.datasets.listing import MANIFEST, named_files
from cape_airflow.datasets.location import Location
from cape_airflow.datasets.staging import Staging
from cape_airflow.errors import DatasetError

_PART = re.compile(r"part-\d{5,}-[0-9a-f]{16}\.\w+")
_logger = logging.getLogger(__name__)


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
        self._replaced: set[str] = set()
        self._written: set[str] = set()
        self.mark = f"-{secrets.token_hex(8)}" if folder else ""

    def prepare(self) -> None:
        """Look at what is there, and begin a transaction.

        Raises:
            DatasetError: other things are there, or the filesystem would show what is not complete.
        """
        if self._folder:
            found = self._found()
            self._replaced = self._ours(found)
            if foreign := len(found - self._replaced):
                raise DatasetError(f"the folder holds {foreign} objects that are no earlier output; use a new folder")
        self._check_hiding()
        self._filesystem.start_transaction()

    def create(self, name: str) -> BinaryIO:
        """Open the next object; it stays unseen until it is published."""
        self._written.add(name)
        path = self._at(name) if self._folder else self._path
        return cast(BinaryIO, self._filesystem.open(path, "wb"))

    def seal(self, file: BinaryIO) -> None:
        """Send the last bytes."""
        file.close()

    def publish(self) -> None:
        """Complete the uploads in the order in which they were opened, then remove what they replace.

        Raises:
            DatasetError: another attempt removed parts of this one at the same moment.
        """
        self._filesystem.end_transaction()
        if self._folder:
            self._clear()

    def discard(self) -> None:
        """Abort the uploads."""
        if self._filesystem._intrans:
            self._filesystem.transaction.complete(commit=False)

    def _clear(self) -> None:
        """Remove the parts, of earlier and of other attempts, that the manifest does not name."""
        found = self._found()
        named = self._named(found)
        if named - found:
            raise DatasetError("another attempt wrote the same folder at the same moment; run it again")
        useless = (self._replaced & found | self._ours(found)) - named
        for name in useless:
            self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            self._filesystem.rm_file(self._at(name))
        except FileNotFoundError:
            pass  # another attempt removed it
        except Exception as error:  # noqa: BLE001 - the new output is there and complete, whatever the store says
            _logger.warning("%s, which was replaced, could not be removed (%s)", name, type(error).__name__)

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _found(self) -> set[str]:
        self._filesystem.invalidate_cache()
        return {name.removeprefix(f"{self._path}/") for name in self._filesystem.find(self._path)}

    def _named(self, found: set[str]) -> set[str]:
        if MANIFEST not in found:
            return set()
        return {MANIFEST, *named_files(self._filesystem.cat_file(self._at(MANIFEST)))}

    def _ours(self, found: set[str]) -> set[str]:
        """Return what the manifest names, and the parts of attempts that were killed before theirs."""
        return found & self._named(found) | {name for name in found if _PART.fullmatch(name)}

    def _check_hiding(self) -> None:
        """Try with another name whether the filesystem hides what is not complete, before the target is touched."""
        folder, _, name = self._path.rpartition("/")
        probe = f"{folder}/.{name}.cape-{secrets.token_hex(16)}"
        self._filesystem.start_transaction()
        with self._filesystem.open(probe, "wb") as file:
            file.write(b"cape")
        can_end = hasattr(file, "commit") and hasattr(file, "discard")
        shown = self._filesystem.exists(probe)
        if not can_end:
            self._filesystem.transaction.files.clear()
        self.discard()
        if shown or self._filesystem.exists(probe):
            self._filesystem.rm(probe)
        if shown or not can_end:
            raise DatasetError(f"{type(self._filesystem).__name__} cannot write all or nothing; use another storage")


def _private(filesystem: fsspec.AbstractFileSystem) -> fsspec.AbstractFileSystem:
    """Return another instance of a filesystem: a transaction holds for everything that is written through one."""
    options = {**filesystem.storage_options, "skip_instance_cache": True}
    return type(filesystem)(*filesystem.storage_args, **options)
