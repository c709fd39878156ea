"""Hive partitions: columns that stand in the folder names, ``year=2026/country=CH/part-00000.parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem


@dataclass(frozen=True)
class Partitions:
    """Partition columns and what they are for each file.

    Args:
        schema: int32 where every value is a number that survives as one, else string.
        values: for each file in order, column to value.
    """

    schema: pa.Schema
    values: tuple[dict[str, object], ...]

    def columns(self, file: int, names: Sequence[str], rows: int) -> list[pa.Array]:
        """Return those partition columns of `names` for that many rows of a file."""
        kinds = [self.schema.field(name).type for name in names]
        return [
            pa.repeat(pa.scalar(self.values[file][name], kind), rows) for name, kind in zip(names, kinds, strict=True)
        ]


def hive_partitions(paths: Sequence[str], base: str) -> Partitions:
    """Read the partition columns of files below a base folder from their paths; touches no file.

    Raises:
        pyarrow.ArrowInvalid: the folders of two files disagree.
    """
    options = ds.FileSystemFactoryOptions(
        partition_base_dir=base, partitioning=ds.HivePartitioning.discover(), exclude_invalid_files=False
    )
    # The filesystem and the format are never used: no fragment is inspected or read.
    factory = ds.FileSystemDatasetFactory(LocalFileSystem(), list(paths), ds.ParquetFileFormat(), options)
    schema = factory.inspect(fragments=0)
    values = _values(factory, schema)
    exact = [field if _survives(field, paths, values) else field.with_type(pa.string()) for field in schema]
    schema = pa.schema(exact)
    return Partitions(schema, _values(factory, schema))


def _values(factory: ds.FileSystemDatasetFactory, schema: pa.Schema) -> tuple[dict[str, object], ...]:
    fragments = factory.finish(schema).get_fragments()
    nothing = dict.fromkeys(schema.names)
    return tuple(nothing | ds.get_partition_keys(fragment.partition_expression) for fragment in fragments)


def _survives(field: pa.Field, paths: Sequence[str], values: Sequence[dict[str, object]]) -> bool:
    """Whether the folder names come back from the numbers: ``zip=00501`` does not."""
    if not pa.types.is_integer(field.type):
        return True
    return all(
        value[field.name] is None or f"/{field.name}={value[field.name]}/" in path
        for path, value in zip(paths, values, strict=True)
    )
