"""Where batches go to: a file or a folder of part files, which appears complete or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

import fsspec
import pyarrow as pa

from cape_airflow.datasets.base import Sink, Source
from cape_airflow.datasets.failures import attempt
from cape_airflow.datasets.formats import Format, Writer, format_by_name, format_by_suffix
from cape_airflow.datasets.groups import Groups
from cape_airflow.datasets.listing import MANIFEST
from cape_airflow.datasets.location import Location, locate
from cape_airflow.datasets.objects import Objects
from cape_airflow.datasets.staging import LocalFile, LocalFolder, Staging
from cape_airflow.errors import DatasetError

ROWS_PER_FILE = 5_000_000


class FileSink(Sink):
    """Writes files; made by `open_sink`. A context manager: what is not committed is gone at its end.

    Attributes:
        url: as it was given.
        format: name of the file format.
        rows_written: rows taken so far.
    """

    def __init__(self, location: Location, url: str, kind: Format, staging: Staging, job_id: str) -> None:
        self.url = url
        self.format = kind.name
        self.rows_written = 0
        self._location = location
        self._kind = kind
        self._staging = staging
        self._job_id = job_id
        self._rows_per_file = ROWS_PER_FILE if location.folder else sys.maxsize
        self._schema: pa.Schema = None
        self._groups = Groups(pa.schema([]))
        self._parts: list[_Part] = []
        self._finished = self._committed = False

    @property
    def bytes_written(self) -> int:
        """Bytes of the output so far, as they are in the files."""
        return sum(part.bytes for part in self._parts)

    def check_source(self, source: Source) -> None:
        """Refuse to write over, or among, the files that are read.

        Raises:
            DatasetError: the target is, holds, or would later be read as a file of the source.
        """
        if source.reads(self._location):
            raise DatasetError(f"{self._location.name} is part of what is read; write the output elsewhere")

    def open(self, schema: pa.Schema) -> None:
        """Begin the output.

        Args:
            schema: of all batches; its metadata goes into Parquet and Arrow files.

        Raises:
            DatasetError: the target may not or cannot be written, or the format cannot hold a column.
        """
        self._schema = schema
        self._groups = Groups(schema)
        attempt(self._staging.prepare, self._task)
        self._next_part()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take the next rows.

        Raises:
            DatasetError: they cannot be written, e.g. for want of space, or are not of the schema.
        """
        if batch.schema != self._schema:  # Arrow would cast in silence
            raise DatasetError(f"cannot {self._task}: a batch is of another schema than the output was opened with")
        attempt(lambda: self._groups.add(batch), self._task)
        self.rows_written += batch.num_rows
        self._write_groups()

    def finish(self) -> None:
        """Write what is pending and close all files; still nobody sees them.

        Raises:
            DatasetError: as `write`.
        """
        self._write_groups(at_end=True)
        self._end_part()
        if self._location.folder:
            self._write_manifest()
        self._finished = True

    def commit(self) -> None:
        """Show the complete output under its name, in place of an earlier one.

        Raises:
            DatasetError: it could not be, or was and could not be synced: the target is as it was, or complete.
        """
        if not self._finished:
            self.finish()
        attempt(self._staging.publish, self._task)
        self._committed = True

    def abort(self) -> None:
        """Remove what was written. Harmless after `commit`."""
        if self._committed:
            return
        for part in self._parts[-1:]:
            with suppress(Exception):  # a file that is thrown away may fail to end
                part.end()
            with suppress(Exception):
                part.file.close()
        attempt(self._staging.discard, f"remove what was written for {self._location.name}")

    @property
    def _task(self) -> str:
        return f"write {self._location.name}"

    def _write_groups(self, at_end: bool = False) -> None:
        while (group := attempt(lambda: self._groups.next(self._room(), at_end=at_end), self._task)) is not None:
            if self._parts[-1].rows >= self._rows_per_file:
                self._end_part()
                self._next_part()
            attempt(partial(self._parts[-1].write, group), self._task)

    def _room(self) -> int:
        """Return the rows that the next group may have; a full file is followed by another."""
        return self._rows_per_file - self._parts[-1].rows or self._rows_per_file

    def _next_part(self) -> _Part:
        name = f"part-{len(self._parts):05d}{self._staging.mark}{self._kind.suffixes[0]}"
        part = _Part(name, attempt(lambda: self._staging.create(name), self._task))
        self._parts.append(part)
        attempt(lambda: part.begin(self._kind, self._schema), self._task)
        return part

    def _end_part(self) -> None:
        part = self._parts[-1]
        attempt(part.end, self._task)
        attempt(lambda: self._staging.seal(part.file), self._task)

    def _write_manifest(self) -> None:
        files = [{"name": part.name, "rows": part.rows, "bytes": part.bytes} for part in self._parts]
        text = json.dumps({"job_id": self._job_id, "files": files}, indent=1)
        file = attempt(lambda: self._staging.create(MANIFEST), self._task)
        attempt(lambda: file.write(text.encode()), self._task)
        attempt(lambda: self._staging.seal(file), self._task)


class _Part:
    """A file that is being written."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self.file = file
        self.rows = 0
        self.bytes = 0
        self._writer: Writer | None = None

    def begin(self, kind: Format, schema: pa.Schema) -> None:
        self._writer = kind.writer(self.file, schema)

    def write(self, table: pa.Table) -> None:
        if self._writer is not None:
            self._writer.write(table)
        self.rows += table.num_rows
        self.bytes = self.file.tell()

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.bytes = self.file.tell()


def open_sink(
    url: str,
    *,
    job_id: str,
    format: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    filesystem: fsspec.AbstractFileSystem | None = None,
    options: Mapping[str, Any] | None = None,
) -> FileSink:
    """Name a target; nothing is touched before `Sink.open`.

    Args:
        url: a file; or a folder, where it ends with a slash: then parts of 5 million rows and a manifest are written.
        job_id: names the temporary files; the same for every attempt of one job, so that a retry sweeps them.
        format: ``parquet``, ``csv``, ``jsonl`` or ``arrow``; None tells it by the suffix (a folder: Parquet).
        storage_options: for the filesystem, e.g. ``{"endpoint_url": ...}``; never shown.
        filesystem: an fsspec filesystem that exists already.
        options: of the format, e.g. ``{"escape_formulas": False}`` (see `datasets.formats`).

    Raises:
        DatasetError: the format cannot be told, or has no such option.
        MissingExtra: the package for this protocol is not installed.
    """
    location = locate(url, storage_options, filesystem)
    kind = format_by_name(format or ("parquet" if location.folder else format_by_suffix(location.path)), options)
    staging: Staging
    if location.local:
        staging = LocalFolder(location.path, job_id) if location.folder else LocalFile(location.path, job_id)
    else:
        staging = Objects(location, location.folder)
    return FileSink(location, url, kind, staging, job_id)
