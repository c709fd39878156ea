"""Failures of readers and writers, told without their words: those of pyarrow quote the values that do not fit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import pyarrow as pa

from cape_airflow.errors import CapeError, DatasetError

T = TypeVar("T")

# Parts of pyarrow's messages that hold numbers, types and column positions, and never a value.
_SAFE_PARTS = (
    (
        re.compile(r"is not a valid decimal"),
        "text stands where the first rows have numbers; give the type of that column in column_types",
    ),
    (re.compile(r"Expected (\d+) columns, got (\d+)"), "a row has {1} cells instead of {0}"),
    (re.compile(r"changed from (\w+) to (\w+) in row"), "a value is of type {1} instead of {0}"),
    (re.compile(r"was specified twice"), "an object names a key twice"),
    (re.compile(r"unexpected field"), "an object has a key that the first rows lack; give its type in column_types"),
    (re.compile(r"straddling object|too large|too small for"), "a row is longer than a block"),
    (
        re.compile(r"requires (precision|scale) \d|fit in precision|represented as decimal"),
        "a number has more digits than its type keeps; give its type in column_types",
    ),
    (re.compile(r"requires a larger index type"), "a dictionary column has more values than its index type can count"),
)
_CSV_COLUMN = re.compile(r"In CSV column #(\d+)")
_JSON_COLUMN = re.compile(r"Column\(/([^)]*)\)")


def attempt(action: Callable[[], T], task: str, columns: list[str] | None = None) -> T:
    """Do what may fail with values in its message, and say what failed without them.

    Args:
        action: what to do.
        task: what is attempted, for the message, e.g. ``read data/customers.csv``.
        columns: names of the file's columns, so that the one at fault can be named.

    Raises:
        DatasetError: `action` failed; the error it raised is not kept as cause or context. A DatasetError of `action`
            says why, and gets the task in front.
    """
    try:
        return action()
    except DatasetError as error:
        failure = DatasetError(f"cannot {task}: {error}")
    except CapeError:
        raise
    except Exception as error:  # noqa: BLE001 - any library below may fail in its own way; all become one error
        failure = DatasetError(f"cannot {task}: {_reason(error, columns or [])}")
    # Outside of the handler: raised inside, the error would carry the library's words as its context.
    raise failure


def attempt_each(items: Iterator[T], task: str, columns: list[str] | None = None) -> Iterator[T]:
    """Yield what `items` yields; what fails becomes a DatasetError as in `attempt`."""
    end = object()
    while (item := attempt(lambda: next(items, end), task, columns)) is not end:
        yield item  # type: ignore[misc]  # what is not `end` is a T


def _reason(error: Exception, columns: list[str]) -> str:
    if isinstance(error, OSError) and isinstance(error.errno, int):  # fsspec puts a text there
        return os.strerror(error.errno)
    if isinstance(error, FileNotFoundError | PermissionError):
        return "no such file" if isinstance(error, FileNotFoundError) else "permission denied"
    if not isinstance(error, pa.ArrowException | OSError | ValueError):
        return type(error).__name__
    text = str(error)
    said = [words.format(*found.groups()) for pattern, words in _SAFE_PARTS if (found := pattern.search(text))]
    column = _column(text, columns)
    if column and not said:
        said = ["values do not fit the type that the first rows have; give it in column_types"]
    return column + ("; ".join(said) or f"it is broken, or not of this format ({type(error).__name__})")


def _column(text: str, columns: list[str]) -> str:
    if (found := _CSV_COLUMN.search(text)) and int(found[1]) < len(columns):
        return f"column `{columns[int(found[1])]}`: "
    if (found := _JSON_COLUMN.search(text)) and found[1] in columns:
        return f"column `{found[1]}`: "
    return ""
