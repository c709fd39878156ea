"""What is named in a database: a table, literally, or a query."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from cape_airflow.errors import DatasetError

_PART = r'("(?:[^"]|"")+"|[^".\s]+)'
_TABLE = re.compile(rf"(?:{_PART}\.)?{_PART}")
_PREFIXES = ("table:", "query:")


class Write(StrEnum):
    """What happens to the rows that are in the target already."""

    REPLACE = "replace"
    APPEND = "append"


@dataclass(frozen=True)
class Table:
    """A table by its literal name: no part of it is ever taken as SQL, and upper case stays upper case.

    Args:
        name: as the database has it.
        schema: None for the schema where the connection creates tables.
    """

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Query:
    """A query that selects; shown by its digest, since it may hold values.

    Args:
        text: one statement.
    """

    text: str

    def __str__(self) -> str:
        return f"query {hashlib.sha256(self.text.encode()).hexdigest()[:16]}"

    @property
    def body(self) -> str:
        """The text without semicolons and space at its end, and a line break behind a comment."""
        return self.text.rstrip("; \t\r\n") + "\n"


Reference = Table | Query


def is_reference(text: str) -> bool:
    """Whether a source or target names something in a database: ``table:...`` or ``query:...``."""
    return text.startswith(_PREFIXES)


def reference(text: str) -> Reference:
    """Read ``table:name``, ``table:schema.name``, ``table:schema."a name"`` or ``query:select ...``.

    Raises:
        DatasetError: it is none of these.
    """
    prefix, _, rest = text.partition(":")
    if prefix == "query" and rest.strip():
        return Query(rest)
    found = _TABLE.fullmatch(rest) if prefix == "table" else None
    if found is None:
        raise DatasetError(
            "a table is named table:name or table:schema.name, parts with dots or spaces in double quotes; "
            "a query follows query:"
        )
    schema, name = found.groups()
    return Table(_unquoted(name), None if schema is None else _unquoted(schema))


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
