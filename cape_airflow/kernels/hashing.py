"""Keyed hashes of text, as lower-case hexadecimal text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pyarrow as pa

from cape_airflow.kernels.text import bytes_type, text_type

_BLOCK = 64  # bytes of a SHA-256 block (FIPS 180-4)


def hmac_sha256_hex(array: pa.Array, key: bytes, *, prefix: str = "", digits: int = 64) -> pa.Array:
    """Return HMAC-SHA-256 (RFC 2104, FIPS 198-1) of each value.

    Args:
        array: string, large_string, binary or large_binary; text is hashed as its UTF-8.
        key: the whole key; every value is hashed under the same one.
        prefix: stands before every token.
        digits: hex digits kept of the 64.

    Returns:
        string, or large_string for large input; nulls stay null.
    """
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def token(message: bytes) -> str:
        first, second = inner.copy(), outer.copy()  # hashed up to the key once, not per value
        first.update(message)
        second.update(first.digest())
        return prefix + second.hexdigest()[:digits]

    return _each(array, token)


def sha256_suffix_hex(array: pa.Array, suffix: bytes, *, stop: int | None = None) -> pa.Array:
    """Return SHA-256 over each value followed by `suffix`: Cape's token, kept for old data. It is not an HMAC.

    Args:
        array: as for `hmac_sha256_hex`.
        suffix: Cape's key.
        stop: hex digits kept, with the meaning of Python's ``token[:stop]``.
    """
    return _each(array, lambda message: hashlib.sha256(message + suffix).hexdigest()[:stop])


def _each(array: pa.Array, token: Callable[[bytes], str]) -> pa.Array:
    messages = array.cast(bytes_type(array.type)).to_numpy(zero_copy_only=False)
    return pa.array([None if message is None else token(message) for message in messages], text_type(array.type))
