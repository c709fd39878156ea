"""Whether an array carries no more than it shows, seen without copying it: what kernels return mostly does not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cape_airflow.kernels.rows import nulls, offsets_in

_BITS = 8  # in a byte of validity or of booleans


def is_compact(array: pa.Array) -> bool:
    """Whether the buffers hold just the values that are shown, with zeros or nothing under nulls.

    Args:
        array: of any type. False is also the answer for those that are not looked into: nested ones, dictionaries,
            views, run-end encoding and extension types.
    """
    kind = array.type
    if pa.types.is_null(kind):
        return True
    if array.offset or not _is_bitmap(array.buffers()[0], len(array)):
        return False
    if is_plain_text(kind):
        return _is_compact_text(array)
    return is_fixed_width(kind) and _is_compact_fixed(array)


def is_plain_text(kind: pa.DataType) -> bool:
    """Whether values of the type are bytes between offsets: string, binary and their large kinds."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def is_fixed_width(kind: pa.DataType) -> bool:
    """Whether all values of the type have ``kind.bit_width`` bits: booleans, numbers, times, bytes of fixed size."""
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind))


def _is_bitmap(buffer: pa.Buffer | None, length: int) -> bool:
    """Whether a bitmap ends with its last bit: the bits after it in the byte may be those of other rows."""
    if buffer is None:
        return True
    size, rest = -(-length // _BITS), length % _BITS
    return buffer.size == size and (not rest or not buffer[size - 1] >> rest)


def _is_compact_text(array: pa.Array) -> bool:
    _, ends, data = array.buffers()
    if ends is None:
        return not len(array)
    offsets, held = offsets_in(array), 0 if data is None else data.size
    if ends.size != offsets.nbytes or offsets[0] != 0 or offsets[-1] != held:
        return False
    return not array.null_count or not np.diff(offsets)[nulls(array)].any()


def _is_compact_fixed(array: pa.Array) -> bool:
    data = array.buffers()[1]
    if pa.types.is_boolean(array.type):
        return not array.null_count and _is_bitmap(data, len(array))
    width = array.type.bit_width // _BITS
    if data.size != len(array) * width:
        return False
    return not array.null_count or not _rows(data, len(array), width)[nulls(array)].any()


def _rows(data: pa.Buffer, length: int, width: int) -> NDArray[np.generic]:
    if width in {1, 2, 4, 8}:
        return np.frombuffer(data, f"u{width}")
    return np.frombuffer(data, np.uint8).reshape(length, width)
