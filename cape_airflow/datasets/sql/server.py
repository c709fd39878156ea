"""Where a database is, with what it takes to log in, which is never shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Postgres:
    """A database of PostgreSQL.

    Args:
        uri: of libpq, with user and password.
        name: for people, e.g. the id of the connection.
    """

    uri: str = field(repr=False)
    name: str


@dataclass(frozen=True)
class Database:
    """A database that SQLAlchemy knows.

    Args:
        url: of SQLAlchemy, text or `sqlalchemy.URL`, with user and password.
        name: for people, e.g. the id of the connection.
    """

    url: Any = field(repr=False)
    name: str
