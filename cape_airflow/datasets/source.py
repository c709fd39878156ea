"""Where batches come from: a file, a glob, or a (partitioned) folder, on this machine or behind any fsspec URL."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa

from cape_airflow.datasets.base import Source
from cape_airflow.datasets.failures import attempt, attempt_each
from cape_airflow.datasets.formats import Description, Format, format_by_name, format_by_suffix
from cape_airflow.datasets.listing import SourceFile, fixed_part, list_files, said_by_manifest
from cape_airflow.datasets.location import Location, locate
from cape_airflow.datasets.partitions import Partitions, hive_partitions
from cape_airflow.errors import DatasetError
from cape_airflow.policy.matching import TAGS, tags


class FileSource(Source):
    """Batches of one schema from files; made by `open_source`.

    Attributes:
        url: as it was given.
        format: name of the file format.
        schema: columns of the files, then partition columns.
        row_count: rows of all files, where the files tell it without being read, else None.
        metadata: of the schema of each file; None for formats that have none.
        files: names of the files, in the order in which they are read; of partitions the columns, not the values.
        size: bytes of all files.
        bytes_read: bytes fetched by the current or last `batches`.
    """

    def __init__(self, location: Location, url: str, files: Sequence[SourceFile], kind: Format) -> None:
        self.url = url
        self.format = kind.name
        self.files = tuple(_name(number, file) for number, file in enumerate(files))
        self.size = sum(file.size for file in files)
        self.bytes_read = 0
        self._location = location
        self._files = files
        self._kind = kind
        self._partitions = self._find_partitions()
        descriptions = [self._describe(number) for number in range(len(files) if kind.self_describing else 1)]
        self._check_names([*descriptions[0].schema.names, *self._partitions.schema.names])
        self._columns = self._one_schema(descriptions)
        self.schema = pa.schema([*self._columns, *self._partitions.schema], metadata=self._columns.metadata)
        self.metadata = self._origins(descriptions) if kind.self_describing else None
        self.row_count = sum(one.rows or 0 for one in descriptions) if kind.self_describing else None

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = 65536
    ) -> Generator[pa.RecordBatch, None, None]:
        """Read all rows, in the order of the files and of the rows in them. May be called again.

        Args:
            columns: names of the columns wanted, in that order; None for all.
            batch_rows: the most rows in a batch.

        Raises:
            SchemaMismatch: no such column.
            DatasetError: a file is broken, or a value does not fit; the message says where, and shows no value.
        """
        names = self._chosen(columns, self._location.name)
        self.bytes_read = 0
        return self._batches(names, batch_rows)

    def _batches(self, names: list[str], batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        wanted = pa.schema([self.schema.field(name) for name in names])
        stored = [name for name in names if name in self._columns.names]
        placed = [name for name in names if name not in stored]
        for number, name in enumerate(self.files):
            for batch in self._read(number, stored or self._columns.names[:1], batch_rows):
                constants = self._partitions.columns(number, placed, batch.num_rows)
                _check_types(batch.schema, self._columns, name)
                by_name = dict(zip([*stored, *placed], [*batch.select(stored).columns, *constants], strict=True))
                yield pa.RecordBatch.from_arrays([by_name[name] for name in names], schema=wanted)

    def _read(self, number: int, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        task = f"read {self.files[number]}"
        with self._open(number) as stream:
            found = self._kind.batches(stream, self._columns, columns, batch_rows)
            for batch in attempt_each(found, task, self._columns.names):
                for start in range(0, batch.num_rows, batch_rows):
                    yield batch.slice(start, batch_rows)

    def reads(self, target: object) -> bool:
        """Whether something written to `target` would replace, or later be read as, a file of this source."""
        if not isinstance(target, Location):
            return False
        kind, path = target.identity
        source_kind, pattern = self._location.identity
        return (
            self._location.holds(target)
            or any(target.holds(file.location) for file in self._files)
            or (kind == source_kind and fnmatchcase(path, pattern))
        )

    def _open(self, number: int) -> BinaryIO:
        place = self._files[number].location
        stream = attempt(lambda: place.filesystem.open(place.path, "rb"), f"open {self.files[number]}")
        return cast(BinaryIO, _Meter(stream, self._count))

    def _count(self, size: int) -> None:
        self.bytes_read = min(self.bytes_read + size, self.size)  # headers and footers may be fetched twice

    def _describe(self, number: int) -> Description:
        def describe() -> Description:
            description = self._kind.describe(stream)
            # Names in a broken file may be no UTF-8, which shows only when they are used.
            [(field.name, str(field.type)) for field in description.schema]
            return description

        with self._open(number) as stream:
            return attempt(describe, f"read {self.files[number]}")

    def _find_partitions(self) -> Partitions:
        base = fixed_part(self._location.path)
        paths = [file.location.path for file in self._files]
        return attempt(lambda: hive_partitions(paths, base), f"read the partitions of {self._location.name}")

    def _one_schema(self, descriptions: Sequence[Description]) -> pa.Schema:
        first = descriptions[0].schema
        for name, description in zip(self.files, descriptions, strict=False):
            if difference := _difference(description.schema, first):
                raise DatasetError(f"{name}: {difference} {self.files[0]}; give the files one schema")
        schemas = [description.schema for description in descriptions]
        tagged = [_with_all_tags(field, [schema.field(field.name) for schema in schemas]) for field in first]
        return pa.unify_schemas([pa.schema(tagged, metadata=first.metadata), *schemas[1:]])

    def _origins(self, descriptions: Sequence[Description]) -> list[dict[bytes, bytes]]:
        folder = self._files[0].location.path != self._location.path
        said = attempt(lambda: said_by_manifest(self._location), f"read {self._location.name}") if folder else {}
        return [{**said, **(one.schema.metadata or {})} for one in descriptions]

    def _check_names(self, names: Sequence[str]) -> None:
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DatasetError(f"{self._location.name} has more than one column `{twice[0]}`; rename one")


class _Meter(io.RawIOBase):
    """A readable file that tells how many bytes are fetched."""

    def __init__(self, file: BinaryIO, count: Callable[[int], None]) -> None:
        self._file = file
        self._count = count

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._count(len(data))
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


def open_source(
    url: str,
    *,
    format: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    filesystem: fsspec.AbstractFileSystem | None = None,
    options: Mapping[str, Any] | None = None,
) -> FileSource:
    """Open a dataset for reading; reads schemas, and no rows beyond the first block of text files.

    Args:
        url: a file, a glob, or a folder (with hive partitions or without); a local path or any fsspec URL.
        format: ``parquet``, ``csv``, ``jsonl`` or ``arrow``; None tells it by the suffix.
        storage_options: for the filesystem, e.g. ``{"endpoint_url": ...}``; never shown.
        filesystem: an fsspec filesystem that exists already.
        options: of the format, e.g. ``{"column_types": {"zip": "string"}}`` (see `datasets.formats`).

    Raises:
        DatasetError: nothing there, a broken file, or files of different schemas.
        MissingExtra: the package for this protocol is not installed.
    """
    location = locate(url, storage_options, filesystem)
    files = attempt(lambda: list_files(location), f"list {location.name}")
    if not files:
        raise DatasetError(f"there is no file at {location.name}")
    names = {format or format_by_suffix(file.location.path) for file in files}
    if len(names) > 1:
        raise DatasetError(f"{location.name} holds files of several formats ({', '.join(sorted(names))}); give a glob")
    return FileSource(location, url, files, format_by_name(names.pop(), options))


def _name(number: int, file: SourceFile) -> str:
    name = file.location.name
    return f"{name} (file {number + 1})" if "…" in name else name


def _with_all_tags(field: pa.Field, of_files: Sequence[pa.Field]) -> pa.Field:
    """Return a field with the tags that it has in any file: one that only a later file has protects it too."""
    found = (tag for each in of_files for tag in tags(each))
    union = ",".join(dict.fromkeys(found)).encode()
    return field.with_metadata({**(field.metadata or {}), TAGS: union}) if union else field


def _check_types(batch: pa.Schema, columns: pa.Schema, name: str) -> None:
    for field in batch:
        if field.type != columns.field(field.name).type:  # Arrow would cast it in silence
            raise DatasetError(f"{name}: column `{field.name}` came as {field.type}; give its type in column_types")


def _difference(schema: pa.Schema, first: pa.Schema) -> str:
    for field in first:
        if field.name not in schema.names:
            return f"column `{field.name}` is missing, unlike in"
        if schema.field(field.name).type != field.type:
            return f"column `{field.name}` is {schema.field(field.name).type}, and {field.type} in"
    extra = [name for name in schema.names if name not in first.names]
    return f"column `{extra[0]}` is further to those in" if extra else ""
