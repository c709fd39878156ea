"""Tickets: 32 random bytes that their holder shows, in a cookie or a one-time link; the store knows their SHA-256.

With 256 random bits there is nothing to guess, so that a plain digest is all that the store needs, and to look a
ticket up by its digest tells nobody how much of a guess was right.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import from_base64url, to_base64url

_BYTES = 32


@dataclass(frozen=True)
class Ticket:
    """A ticket as its holder has it."""

    secret: Secret

    @classmethod
    def generate(cls) -> Ticket:
        """Return a new ticket from the system's randomness."""
        return cls(Secret(secrets.token_bytes(_BYTES)))

    @classmethod
    def parse(cls, text: str) -> Ticket | None:
        """Return the ticket that `text` writes down, or None where it is none."""
        try:
            ticket = cls(Secret(from_base64url(text)))
        except ValueError:
            return None
        return ticket if len(ticket.secret.reveal()) == _BYTES and ticket.write() == text else None

    def write(self) -> str:
        """Return the clear text, for its holder."""
        return to_base64url(self.secret.reveal())

    def digest(self) -> bytes:
        """Return the SHA-256 of the secret: what is stored."""
        return hashlib.sha256(self.secret.reveal()).digest()
