"""Which table of which database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A table of PostgreSQL.

    Args:
        server: its identity, by `server_identity`.
        name: of the table, with its schema, quoted.
    """

    server: tuple[str, str]
    name: str
