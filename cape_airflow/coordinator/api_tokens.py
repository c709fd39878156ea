"""API tokens in Cape's format: ``<id>,<base64url(0x01 || 24 secret bytes)>``.

The secret has 192 random bits, so its plain SHA-256 is all that the store needs: no slow hash, no salt.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import from_base64url, to_base64url

_VERSION = b"\x01"
_SECRET_BYTES = 24
_ID = re.compile(r"[0-9A-Za-z]{26}")


@dataclass(frozen=True)
class ApiToken:
    """A token as its owner holds it."""

    id: str
    secret: Secret

    @classmethod
    def generate(cls, now: datetime) -> ApiToken:
        """Return a new token from the system's randomness."""
        return cls(new_id(now), Secret(secrets.token_bytes(_SECRET_BYTES)))

    @classmethod
    def parse(cls, text: str) -> ApiToken:
        """Return the token that `text` writes down.

        Raises:
            ValueError: it is not in Cape's format. The message does not show the text.
        """
        token_id, _, encoded = text.partition(",")
        payload = from_base64url(encoded)
        token = cls(token_id, Secret(payload[1:]))
        # Written back, it is the same text: there is one way to write a token down.
        if not _ID.fullmatch(token_id) or len(payload) != 1 + _SECRET_BYTES or token.write() != text:
            raise ValueError("not an API token")
        return token

    def write(self) -> str:
        """Return the clear text; shown to its owner once."""
        return f"{self.id},{to_base64url(_VERSION + self.secret.reveal())}"

    def digest(self) -> bytes:
        """Return the SHA-256 of the secret: what is stored."""
        return hashlib.sha256(self.secret.reveal()).digest()

    def matches(self, digest: bytes) -> bool:
        """Return whether `digest` is of this token, in constant time."""
        return hmac.compare_digest(self.digest(), digest)
