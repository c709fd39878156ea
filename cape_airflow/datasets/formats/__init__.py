"""File formats: Parquet, CSV, JSON Lines and Arrow IPC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import PurePosixPath
from typing import Any

from cape_airflow.datasets.formats.arrow_ipc import ArrowIpc
from cape_airflow.datasets.formats.base import Description, Format, Writer
from cape_airflow.datasets.formats.delimited import Csv
from cape_airflow.datasets.formats.json_lines import JsonLines
from cape_airflow.datasets.formats.parquet import Parquet
from cape_airflow.errors import DatasetError, did_you_mean

FORMATS: Mapping[str, type[Format]] = {kind.name: kind for kind in (Parquet, Csv, JsonLines, ArrowIpc)}

__all__ = ["FORMATS", "Description", "Format", "Writer", "format_by_name", "format_by_suffix"]


def format_by_suffix(path: str) -> str:
    """Return the name of the format that a file's suffix stands for.

    Raises:
        DatasetError: the suffix is of no format.
    """
    suffix = PurePosixPath(path).suffix.lower()
    for kind in FORMATS.values():
        if suffix in kind.suffixes:
            return kind.name
    raise DatasetError(
        f"the format of a file cannot be told by its suffix {suffix or '(none)'}; give format: one of "
        f"{', '.join(FORMATS)}"
    )


def format_by_name(name: str, options: Mapping[str, Any] | None = None) -> Format:
    """Return a format with its options.

    Raises:
        DatasetError: no such format or option.
    """
    if name not in FORMATS:
        raise DatasetError(f"no format `{name}`{did_you_mean(name, FORMATS)} There are: {', '.join(FORMATS)}")
    kind = FORMATS[name]
    known = [option.name for option in fields(kind)]  # type: ignore[arg-type]  # every subclass is a dataclass
    for option in options or {}:
        if option not in known:
            raise DatasetError(
                f"format {name} has no option `{option}`{did_you_mean(option, known)} "
                f"It has: {', '.join(known) or 'none'}"
            )
    return kind(**(options or {}))
