"""All or nothing: Spark's committer writes a hidden folder beside the target; then come our manifest and one rename.

The driver makes the folder and holds its lock while it lives (`Staged.begin`). The operator, once it knows that the
policy still is approved, shows it (`Staged.publish`). A folder whose driver died is swept by the next attempt.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from cape_airflow.datasets.failures import attempt
from cape_airflow.datasets.listing import MANIFEST, named_files
from cape_airflow.datasets.staging import LocalFolder
from cape_airflow.errors import DatasetError

SUCCESS = "_SUCCESS"
"""What Spark's committer leaves when all tasks have committed."""


class Staged(LocalFolder):
    """The output of one attempt, in folders that Spark made.

    Args:
        path: of the target, on a disk that driver and executors share.
        job_id: the same for every attempt of one job.
    """

    def begin(self) -> Path:
        """Sweep what dead attempts left, and make the hidden folder that Spark is to write into.

        Raises:
            DatasetError: the target is not ours to replace, or cannot be written.
        """
        attempt(self.prepare, self._task)
        attempt(self._make, self._task)
        return self._temporary

    def adopt(self, path: Path) -> None:
        """Go on with the folder of a driver.

        Raises:
            DatasetError: it is not there: another machine, or another attempt swept it.
        """
        if path.parent != self._target.parent or not path.name.startswith(self._job) or not path.is_dir():
            raise DatasetError(f"what was written for {self._target} is not on this machine; share its disk")
        self._temporary = path
        self._mode = 0o777 & ~_umask()

    def complete(self, policy_digest: str, rows: int | None) -> int:
        """Write the manifest, once Spark has committed; return the bytes of all files.

        Args:
            policy_digest: under which it was written.
            rows: that Spark counted on their way into the files; None where nobody knows.

        Raises:
            DatasetError: files are missing, as they are where executors have another disk.
        """
        return attempt(lambda: self._complete(policy_digest, rows), self._task)

    def show(self) -> None:
        """Show the output in place of what was there, in one rename.

        Raises:
            DatasetError: it could not be; the target is as it was.
        """
        attempt(self._check, self._task)
        attempt(self.publish, self._task)

    @property
    def _task(self) -> str:
        return f"write {self._target}"

    def _make(self) -> None:
        self._temporary.mkdir(mode=0o700)
        self._hold(os.open(self._temporary, os.O_RDONLY | os.O_DIRECTORY))

    def _complete(self, policy_digest: str, rows: int | None) -> int:
        success = self._temporary / SUCCESS
        if not success.exists():
            raise DatasetError(
                f"Spark wrote nothing for {self._target} on this disk; name a folder that this worker and Spark share"
            )
        for useless in (success, *self._temporary.rglob(".*.crc")):
            useless.unlink()
        files = [_file(path, self._temporary) for path in sorted(self._temporary.rglob("*")) if path.is_file()]
        _refuse_missing_rows(files, rows, self._target)
        manifest = self._temporary / MANIFEST
        manifest.write_text(
            json.dumps(
                {"job_id": self._job_id, "policy_digest": policy_digest, "files": [file.described() for file in files]}
            )
        )
        for path in (*self._temporary.rglob("*"), manifest):
            _sync(path)
        return sum(file.bytes for file in files)

    def _check(self) -> None:
        """Refuse to replace a folder with other files than an earlier output's, in whatever partitions they lie."""
        if self._target.exists() and not self._target.is_dir():
            raise DatasetError(f"{self._target} is a file; Spark writes folders")
        manifest = self._target / MANIFEST
        ours = {MANIFEST, *named_files(manifest.read_bytes())} if manifest.exists() else set()
        inside = {str(path.relative_to(self._target)) for path in self._target.rglob("*") if not path.is_dir()}
        if foreign := len(inside - ours):
            raise DatasetError(f"{self._target} holds {foreign} files that are no earlier output; name a new folder")


def refuse_existing(path: str) -> None:
    """Refuse a target that is there, for mode ``errorifexists``.

    Raises:
        DatasetError: it is.
    """
    if Path(path).exists():
        raise DatasetError(f"{path} is there already, and mode is errorifexists")


@dataclass(frozen=True)
class _File:
    """A file of the output, by its name in the folder; its rows where the format tells them without being read."""

    name: str
    bytes: int
    rows: int | None

    def described(self) -> dict[str, str | int]:
        return {"name": self.name, "bytes": self.bytes, **({} if self.rows is None else {"rows": self.rows})}


def _file(path: Path, folder: Path) -> _File:
    rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
    return _File(str(path.relative_to(folder)), path.stat().st_size, rows)


def _refuse_missing_rows(files: list[_File], rows: int | None, target: Path) -> None:
    """Executors that write to disks of their own leave no trace of their rows here, and Spark calls it a success."""
    if rows is None:
        return
    counted = [file.rows for file in files if file.rows is not None]
    found = sum(counted)
    if (len(counted) == len(files) and found != rows) or (rows and not files):
        raise DatasetError(
            f"the files for {target} hold {found:,} of the {rows:,} rows that Spark wrote; "
            "do all executors share this disk?"
        )


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
