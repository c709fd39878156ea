"""Failures of databases, told without their words: messages, details and parameters quote values of the data.

What is told is the SQLSTATE (ISO/IEC 9075-2, 24.1; PostgreSQL, appendix A) and the names of columns and constraints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from cape_airflow.datasets.failures import attempt
from cape_airflow.errors import CapeError, DatasetError

T = TypeVar("T")

_CLASSES = {
    "08": "the connection is lost, or the data does not fit the wire",
    "21": "rows or columns do not match",
    "22": "a value does not fit its column",
    "23": "a constraint forbids a row",
    "25": "the transaction allows reading only; a query may change nothing",
    "28": "the log in is refused",
    "40": "it collided with another transaction; try again",
    "42": "the statement is not valid, or not permitted",
    "53": "the server is short of resources",
    "57": "the server stopped it",
    "58": "the server's system failed",
}
_STATES = {
    "22001": "a text is longer than its column takes",
    "22003": "a number is larger than its column takes",
    "23502": "a column that may not be null gets a null",
    "23503": "a foreign key finds no row",
    "23505": "two rows have the same unique key",
    "23514": "a row breaks a check",
    "2BP01": "something else depends on the table",
    "3D000": "there is no such database",
    "3F000": "there is no such schema",
    "42501": "the user of the connection lacks a privilege",
    "42601": "the query is no valid SQL",
    "42703": "there is no such column",
    "42P01": "there is no such table",
    "42P07": "the table appeared meanwhile",
    "53100": "the disk is full",
    "55P03": "somebody else holds a lock on it for too long",
    "57014": "the statement was cancelled, or ran into a time limit",
}
_PHRASES = {
    "invalid input syntax": "22",
    "out of range": "22",
    "division by zero": "22",
    "read-only transaction": "25",
    "permission denied": "42",
    "canceling statement": "57",
    "terminating connection": "57",
}
"""While rows stream, the driver's errors have no state; of their words these are looked for, and none is shown."""

_NAMED = {"PG_DIAG_COLUMN_NAME": "column", "PG_DIAG_CONSTRAINT_NAME": "constraint"}
_COPY_COLUMN = re.compile(r", line \d+, column (.+?)(?::|$)", re.MULTILINE)


def sql_attempt(action: Callable[[], T], task: str, columns: Sequence[str] = ()) -> T:
    """Do what may fail with values in its message, and say what failed without them.

    Args:
        action: what to do.
        task: what is attempted, e.g. ``read public.customers``.
        columns: names of columns, so that the one at fault can be named.

    Raises:
        DatasetError: `action` failed; the error it raised is not kept as cause or context.
    """
    return attempt(lambda: _told(action, columns), task)


def sql_attempt_each(items: Iterator[T], task: str, columns: Sequence[str] = ()) -> Iterator[T]:
    """Yield what `items` yields; what fails becomes a DatasetError as in `sql_attempt`."""
    end: Any = object()
    while (item := sql_attempt(lambda: next(items, end), task, columns)) is not end:
        yield item


def _told(action: Callable[[], T], columns: Sequence[str]) -> T:
    try:
        return action()
    except CapeError:
        raise
    except Exception as error:  # noqa: BLE001 - any driver may fail in its own way; all become one error
        failure = DatasetError(_reason(error, columns))
    raise failure  # outside of the handler, so that the driver's words are no context


def _reason(error: Exception, columns: Sequence[str]) -> str:
    origin = getattr(error, "orig", None) or error  # of SQLAlchemy's errors, the driver's
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    if not state:
        said = next((_CLASSES[state] for phrase, state in _PHRASES.items() if phrase in str(origin)), None)
        return said or f"the database or its driver refused it ({type(origin).__name__})"
    words = _STATES.get(state) or _CLASSES.get(state[:2]) or "the database refused it"
    return ", ".join([f"{words} (SQLSTATE {state})", *_names(getattr(origin, "details", None) or [], columns)])


def _names(details: Sequence[tuple[str | bytes, bytes]], columns: Sequence[str]) -> Iterator[str]:
    for key, value in details:
        name, text = key if isinstance(key, str) else key.decode(), value.decode("utf-8", "replace")
        if name in _NAMED:
            yield f"{_NAMED[name]} `{text}`"
        elif name == "PG_DIAG_CONTEXT" and (found := _COPY_COLUMN.search(text)) and found[1] in columns:
            yield f"column `{found[1]}`"
