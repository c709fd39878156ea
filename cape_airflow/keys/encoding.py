"""base64url without padding (RFC 4648 section 5): how keys, tokens and signatures are written down."""

from __future__ import annotations

import base64
import binascii
import re

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*={0,2}")


def to_base64url(data: bytes) -> str:
    """Return `data` as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Return the bytes that `text` stands for; padding may be there or not.

    Raises:
        ValueError: it is not base64url. The message does not show the text, which may be a key.
    """
    bare = text.rstrip("=")
    if not _ALPHABET.fullmatch(text) or (bare != text and len(text) % 4):
        raise ValueError("not base64url")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
