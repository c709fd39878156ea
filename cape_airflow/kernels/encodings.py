"""How a digest becomes a token: hexadecimal text, base32 text, or its bytes as they are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from cape_airflow.kernels.hexadecimal import to_hex
from cape_airflow.kernels.rows import Bytes
from cape_airflow.kernels.text import bytes_type, text_type

Encoding = Literal["hex", "base32", "raw"]
"""Lower-case, each of them; base32 has the alphabet of RFC 4648, section 6, and no padding."""

BITS: dict[Encoding, int] = {"hex": 4, "base32": 5, "raw": 8}
"""Bits that a character stands for, or a byte of a raw token."""

_DIGEST_BITS = 256  # of SHA-256 (FIPS 180-4)
_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)


def length_of(encoding: Encoding, bits: int = _DIGEST_BITS) -> int:
    """Return how many characters, or bytes of a raw token, hold so many bits; those of a whole digest by default."""
    return -(-bits // BITS[encoding])


def encoded_type(encoding: Encoding, column_type: pa.DataType) -> pa.DataType:
    """Return the type of the tokens of a column: text, or binary for raw ones; large types give large ones."""
    return bytes_type(column_type) if encoding == "raw" else text_type(column_type)


def encoded(rows: Bytes, encoding: Encoding) -> Bytes:
    """Return rows of bytes, shape (rows, bytes), as rows of characters, or as they are for raw ones."""
    if encoding == "hex":
        return to_hex(rows)
    return _to_base32(rows) if encoding == "base32" else rows


def _to_base32(rows: Bytes) -> Bytes:
    """Return a character for every five bits, the last ones filled up with zeros."""
    starts = np.arange(0, 8 * rows.shape[1], BITS["base32"])
    first, shifts = starts // 8, (11 - starts % 8).astype(np.uint16)
    bytes_ = np.pad(rows, ((0, 0), (0, 1))).astype(np.uint16)
    numbers = (bytes_[:, first] << np.uint16(8) | bytes_[:, first + 1]) >> shifts & np.uint16(31)
    characters: Bytes = _BASE32[numbers]
    return characters
