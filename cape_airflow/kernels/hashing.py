"""Keyed hashes of text, as tokens."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from cape_airflow.kernels.encodings import Encoding, encoded, encoded_type
from cape_airflow.kernels.rows import from_bytes, nulls, offsets_of
from cape_airflow.kernels.text import bytes_type

_BLOCK, _DIGEST = 64, 32  # bytes of SHA-256 (FIPS 180-4)


def hmac_sha256(
    array: pa.Array, key: bytes, *, encoding: Encoding = "hex", prefix: str = "", stop: int | None = None
) -> pa.Array:
    """Return HMAC-SHA-256 (RFC 2104, FIPS 198-1) of each value.

    Args:
        array: string, large_string, binary or large_binary; text is hashed as its UTF-8.
        key: the whole key; every value is hashed under the same one.
        encoding: of the tokens: 64 hex digits, 52 characters of base32, or 32 raw bytes.
        prefix: stands before every token.
        stop: characters kept, or bytes of a raw token, with the meaning of Python's ``token[:stop]``.

    Returns:
        string, or binary for raw tokens; large_string or large_binary for large input; nulls stay null.
    """
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    # Hashed up to the key once, not per value.
    begun = hashlib.sha256(bytes(byte ^ 0x36 for byte in block)).copy
    finished = hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy
    digests = []
    for message in _messages(array):
        first, second = begun(), finished()
        first.update(message)
        second.update(first.digest())
        digests.append(second.digest())
    return _tokens(array, digests, encoding, prefix.encode(), stop)


def sha256_suffix(array: pa.Array, suffix: bytes, *, encoding: Encoding = "hex", stop: int | None = None) -> pa.Array:
    """Return SHA-256 over each value followed by `suffix`: Cape's token, kept for old data. It is not an HMAC.

    Args:
        array: as for `hmac_sha256`.
        suffix: Cape's key.
        encoding: of the tokens; Cape's are hex.
        stop: as for `hmac_sha256`.

    Returns:
        As `hmac_sha256`.
    """
    digests = [hashlib.sha256(message + suffix).digest() for message in _messages(array)]
    return _tokens(array, digests, encoding, b"", stop)


def _messages(array: pa.Array) -> list[bytes]:
    messages: list[bytes] = array.drop_null().cast(bytes_type(array.type)).to_numpy(zero_copy_only=False).tolist()
    return messages


def _tokens(array: pa.Array, digests: list[bytes], encoding: Encoding, prefix: bytes, stop: int | None) -> pa.Array:
    """Return tokens from the digests of all values that are not null."""
    digits = encoded(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST), encoding)[:, :stop]
    rows = np.empty((len(digits), len(prefix) + digits.shape[1]), np.uint8)
    rows[:, : len(prefix)], rows[:, len(prefix) :] = np.frombuffer(prefix, np.uint8), digits
    valid = ~nulls(array)
    return from_bytes(rows.reshape(-1), offsets_of(valid * rows.shape[1]), valid, encoded_type(encoding, array.type))
