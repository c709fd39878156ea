"""Rows of bytes as rows of hexadecimal digits, and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cape_airflow.kernels.rows import Bytes

_NO_DIGIT = 0xFF
_DIGITS = bytes(int(chr(code), 16) if chr(code) in "0123456789abcdefABCDEF" else _NO_DIGIT for code in range(256))


def to_hex(rows: Bytes) -> Bytes:
    """Return two lower-case digits for every byte; the last axis doubles."""
    pairs = rows.astype(np.uint16)
    pairs = ((pairs >> np.uint16(4)) | (pairs << np.uint16(8))) & np.uint16(0x0F0F)
    letters = ((pairs + np.uint16(0x0606)) >> np.uint16(4)) & np.uint16(0x0101)  # 1 for each digit from ten up
    pairs += np.uint16(0x3030)
    pairs += letters * np.uint16(ord("a") - ord("9") - 1)
    return pairs.astype("<u2", copy=False).view(np.uint8)


def from_hex(digits: Bytes) -> tuple[Bytes, npt.NDArray[np.uint8]]:
    """Return the byte of every two digits, of either case, and a number other than zero where they are none."""
    values = np.frombuffer(np.ascontiguousarray(digits).tobytes().translate(_DIGITS), "<u2")
    pairs = values.reshape(*digits.shape[:-1], digits.shape[-1] // 2)
    numbers = ((pairs << np.uint16(4)) | (pairs >> np.uint16(8))).astype(np.uint8)
    return numbers, ((pairs | (pairs >> np.uint16(8))) & np.uint16(0xF0)).astype(np.uint8)
