"""Identifiers of 26 characters, as Cape's (ULID): 48 bits of milliseconds, 80 random bits, Crockford base32."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(now: datetime) -> str:
    """Return a new identifier. It says roughly when it was made; order comes from the store, never from it."""
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    number = milliseconds << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
