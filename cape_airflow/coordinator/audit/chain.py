"""The hash chain over the rows of the audit log.

A row's hash is the SHA-256 of its RFC 8785 canonical JSON: all its fields, its number and the hash of the row before it
among them. Whoever edits, removes, inserts or moves a row has to make all later hashes again, and then a checkpoint
that left the database does not fit any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rfc8785

from cape_airflow.coordinator.clock import rfc3339

if TYPE_CHECKING:
    from cape_airflow.coordinator.store.models import AuditRow

GENESIS = "0" * 64
"""What the first row has in place of the hash of the row before it."""

FACTS = (
    "time",
    "event",
    "user_id",
    "user_email",
    "project",
    "target_type",
    "target_id",
    "target_label",
    "request_id",
    "client_address",
)
HASHED = ("seq", *FACTS, "previous")
FIELDS = (*HASHED, "hash")

Entry = dict[str, Any]
"""A row as plain data: `FIELDS`, the time as RFC 3339 text. This is what is hashed, exported and handed to sinks."""


def entry_of(row: AuditRow) -> Entry:
    """Return a stored row as plain data."""
    return {name: getattr(row, name) for name in FIELDS} | {"time": rfc3339(row.time)}


def hash_of(entry: Entry) -> str:
    """Return the hash that an entry must have: SHA-256 in lower-case hex.

    Raises:
        KeyError: it lacks a field.
        rfc8785.CanonicalizationError: a field is of no kind that JSON has, or a number beyond 2^53.
    """
    return hashlib.sha256(rfc8785.dumps({name: entry[name] for name in HASHED})).hexdigest()


def link(rows: Sequence[AuditRow], last_seq: int, last_hash: str) -> None:
    """Number rows that are about to be stored, and chain them to the last stored one, in their order."""
    for row in rows:
        row.seq, row.previous = last_seq + 1, last_hash
        row.hash = hash_of({name: getattr(row, name) for name in HASHED} | {"time": rfc3339(row.time)})
        last_seq, last_hash = row.seq, row.hash
