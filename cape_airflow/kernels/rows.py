"""Text and byte columns as rows of equal width, so that numpy takes every step for many values at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cape_airflow.kernels.text import is_large, is_text

Bytes = npt.NDArray[np.uint8]
Lengths = npt.NDArray[np.int64]
Sizes = Callable[[Lengths], tuple[Lengths, Lengths]]
RowFunction = Callable[[Bytes, Lengths], tuple[Bytes, npt.NDArray[np.bool_]]]

PART = 1 << 18
"""Bytes of rows worked on at a time, so that every step finds them in the cache."""


def bytes_of(array: pa.Array) -> tuple[Bytes, Lengths]:
    """Return the bytes of a string, binary, large_string or large_binary array, and its len + 1 offsets.

    The bytes are those of this slice alone, not copied where that can be avoided; nulls have none.
    """
    _, starts, data = array.buffers()
    if starts is None or not len(array):
        return np.empty(0, np.uint8), np.zeros(len(array) + 1, np.int64)
    offsets = offsets_in(array).astype(np.int64)
    if array.null_count and np.diff(offsets)[nulls(array)].any():
        return bytes_of(array.take(pa.array(np.arange(len(array)))))
    everything = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return everything[offsets[0] : offsets[-1]], offsets - offsets[0]


def offsets_in(array: pa.Array) -> npt.NDArray[np.int32 | np.int64]:
    """Return the len + 1 places in the data buffer between which the values of an array of text or bytes lie."""
    word = np.int64 if is_large(array.type) else np.int32
    places: npt.NDArray[np.int32 | np.int64] = np.frombuffer(array.buffers()[1], word)
    return places[array.offset : array.offset + len(array) + 1]


def nulls(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return where an array is null."""
    bits = array.is_null().buffers()[1]  # which Arrow itself turns into bytes one by one
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=len(array), bitorder="little").view(np.bool_)


def gather(data: Bytes, starts: Lengths, width: int) -> Bytes:
    """Return `width` bytes from each start, shape (starts, width); `data` has so many after every start."""
    return _windows(data, width)[starts].view(np.uint8).reshape(len(starts), width)


def scatter(data: Bytes, starts: Lengths, rows: Bytes) -> None:
    """Write each row, of at least one byte, to its start."""
    width = rows.shape[1]
    _windows(data, width)[starts] = np.ascontiguousarray(rows).view(f"V{width}").reshape(-1)


def by_width(array: pa.Array, sizes: Sizes, function: RowFunction, output_type: pa.DataType) -> pa.Array:
    """Apply a function to all values of equal width together.

    Args:
        array: string, binary, large_string or large_binary.
        sizes: from the lengths of the values in bytes: how many bytes of each the function is to see, at least its
            length, growing with it, or 0 for values that it cannot take; and how many bytes its result has.
        function: takes rows, in which bytes past the length mean nothing, and the lengths; gives rows that begin with
            the results, and which of them hold one.
        output_type: string, binary, large_string or large_binary.

    Returns:
        The results in the order of the values; null for nulls and where there is no result.
    """
    data, offsets = bytes_of(array)
    lengths = np.diff(offsets)
    widths, results = sizes(lengths)
    widths[nulls(array)] = 0
    results[widths == 0] = 0
    padded = new_bytes(len(data) + int(widths.max(initial=0)))
    padded[: len(data)] = data
    ends, taken = offsets_of(results), np.zeros(len(array), bool)
    out = new_bytes(int(ends[-1]))
    for members in parts(widths, lengths):
        rows, taken[members] = function(gather(padded, offsets[members], int(widths[members[0]])), lengths[members])
        rows[~taken[members]] = 0  # no attempt at a result shows, not even under a null
        for same in _runs(results[members]):
            if size := int(results[members[same.start]]):
                scatter(out, ends[members[same]], rows[same, :size])
    return from_bytes(out, ends, taken, output_type)


def new_bytes(count: int) -> Bytes:
    """Return new bytes of no meaning from Arrow's pool, which unlike numpy's keeps the pages of the last batch."""
    return np.frombuffer(pa.allocate_buffer(count), np.uint8)


def offsets_of(lengths: npt.NDArray[np.integer | np.bool_]) -> Lengths:
    """Return where each value begins, and where the last one ends."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def from_bytes(data: Bytes, offsets: Lengths, valid: npt.NDArray[np.bool_], output_type: pa.DataType) -> pa.Array:
    """Return an array of string, binary, large_string or large_binary over these bytes, null where not `valid`.

    Raises:
        ArrowInvalid: more bytes than the type can hold.
    """
    bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    wide = pa.large_string() if is_text(output_type) else pa.large_binary()
    found = pa.Array.from_buffers(wide, len(valid), [bitmap, pa.py_buffer(offsets), pa.py_buffer(data)])
    return found.cast(output_type)


def parts(widths: Lengths, lengths: Lengths) -> Iterator[Lengths]:
    """Yield the places of the values of each width but 0, in order of their lengths, some `PART` bytes at a time."""
    places = np.flatnonzero(widths)
    found = lengths[places]
    small = found.astype(np.uint16) if found.max(initial=0) < 2**16 else found  # which numpy sorts by radix
    order = places[np.argsort(small, kind="stable")]
    for group in _runs(widths[order]):
        step = max(1, PART // int(widths[order[group.start]]))
        for start in range(group.start, group.stop, step):
            yield order[start : min(start + step, group.stop)]


def _runs(numbers: Lengths) -> Iterator[slice]:
    """Yield where equal numbers stand side by side."""
    starts = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
    return (slice(start, end) for start, end in pairwise([*starts, len(numbers)]))


def _windows(data: Bytes, width: int) -> npt.NDArray[np.void]:
    """Return a view of every run of `width` bytes; numpy moves such an item in one go."""
    return np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
