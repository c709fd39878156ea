"""The files that contenders read and write. They are kept in memory where that is possible: disks are not measured."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.environments import FOLDER
from benchmarks.options import Options
from benchmarks.processes import once

MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder with a name that nobody knows is made there
BYTES_PER_ROW = 800  # of the whole job: 500 for all files at one time, and some to spare


@contextmanager
def folder(rows: int) -> Iterator[Path]:
    """Give a folder for the time of a run, in memory if the files of that many rows find room."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > rows * BYTES_PER_ROW
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="cape-airflow-bench-", dir=MEMORY if in_memory else FOLDER) as path:
        yield Path(path)


def customers(kind: str, rows: int, options: Options, **arguments: object) -> str:
    """Return the path of a file of that many invented customers, which is written if need be.

    Args:
        kind: parquet or arrow.
        rows: of the file.
        options: where it is.
        arguments: more of what writes it.
    """
    words = "".join(f"-{name}-{value}" for name, value in arguments.items())
    path = options.folder / f"customers-{rows}{words}.{kind}"
    if not path.exists():
        once(f"customers:write_{kind}", target=str(path), rows=rows, **arguments)
    return str(path)
