"""The log as a file: lines of JSON, which can be verified, or CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Literal

from cape_airflow.coordinator.audit.chain import FIELDS, Entry
from cape_airflow.coordinator.audit.events import Event
from cape_airflow.coordinator.audit.log import Wanted, entries, last_seq
from cape_airflow.coordinator.audit.sinks.sink import line_of
from cape_airflow.coordinator.call import Call
from cape_airflow.errors import CoordinatorError

Format = Literal["ndjson", "csv"]

MEDIA_TYPES: dict[Format, str] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(call: Call, wanted: Wanted, form: Format) -> Iterator[str]:
    """Return the lines of a file of the log as it is now; that it was exported is recorded.

    They are read in parts while they are sent: no transaction waits for a slow client.
    """
    until = last_seq(call.session)
    call.record(Event.EXPORT_AUDIT, "audit", "log", wanted.in_words())
    return lines_of(entries(call.coordinator.store.read, 0, until, wanted), form)


def lines_of(found: Iterable[Entry], form: Format) -> Iterator[str]:
    """Yield a line a row, with its end; CSV begins with the names of the fields."""
    if form == "ndjson":
        yield from (line_of(entry) + "\n" for entry in found)
        return
    yield _csv(FIELDS)
    yield from (_csv([_cell(entry[name]) for name in FIELDS]) for entry in found)


def parse_lines(lines: Iterable[str], name: str) -> Iterator[Entry]:
    """Yield the rows of an exported file of lines of JSON.

    Raises:
        CoordinatorError: a line is not JSON.
    """
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            raise CoordinatorError(f"line {number} of {name} is not JSON") from None
        yield entry if isinstance(entry, dict) else {}


def _csv(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
