"""Masks over text: characters that give way to one that stands for all of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.kernels.rows import bytes_of, from_bytes, gather, new_bytes, nulls, scatter
from cape_airflow.kernels.text import checked_text, text_type

_PROBES = ["", "a", "0", " ", "ab 12, cd@e-f.g"]  # no array: making one imports pandas


def mask_all_but_ends(array: pa.Array, first: int, last: int, mask: str) -> pa.Array:
    """Return text with every character masked but the first and last few; all are where no other is left.

    Args:
        array: string, large_string or string_view.
        first: characters (code points) to show at the start.
        last: characters to show at the end.
        mask: one character.

    Returns:
        string, or large_string for large_string; nulls stay null.

    Raises:
        ValueRefused: text that is not UTF-8.
    """
    text = array.cast(text_type(array.type))
    data, offsets = bytes_of(text)
    if not (mask.isascii() and data.max(initial=0) < 0x80):
        return _by_characters(checked_text(text), first, last, mask)
    masked = new_bytes(len(data))
    masked[:] = ord(mask)
    starts, ends = offsets[:-1], offsets[1:]
    shown = ends - starts > first + last
    for places, width in ((starts[shown], first), (ends[shown] - last, last)):
        if width and len(places):
            scatter(masked, places, gather(data, places, width))
    return from_bytes(masked, offsets, ~nulls(text), text.type)


def mask_matches(array: pa.Array, pattern: str, mask: str) -> pa.Array:
    """Return text with every match of a pattern replaced by one mask; what would come out as it is, is masked whole.

    Args:
        array: string, large_string or string_view.
        pattern: a regular expression of RE2.
        mask: one character.

    Returns:
        string, or large_string for large_string; nulls stay null.

    Raises:
        ValueRefused: text that is not UTF-8.
    """
    text = checked_text(array)
    masked = _replaced(text, pattern, mask)
    untouched = pc.equal(masked, text)
    if not pc.any(untouched).as_py():
        return masked
    return pc.if_else(untouched, mask_all_but_ends(text, 0, 0, mask), masked)


def check_pattern(pattern: str) -> None:
    """Check a pattern before there is text.

    Raises:
        ValueError: it is no regular expression of RE2, or matches where there is no character to hide.
    """
    probes = pa.array(_PROBES)
    try:
        masked = _replaced(probes, pattern, "*")
    except pa.ArrowInvalid as error:
        raise ValueError(f"is no regular expression of RE2 ({error})") from None
    if pc.any(pc.greater(pc.utf8_length(masked), pc.utf8_length(probes))).as_py():
        raise ValueError("matches where there is no character, and would hide none; match one at least, e.g. + for *")


def _replaced(text: pa.Array, pattern: str, mask: str) -> pa.Array:
    return pc.replace_substring_regex(text, pattern, mask.replace("\\", r"\\"))


def _by_characters(text: pa.Array, first: int, last: int, mask: str) -> pa.Array:
    length = pc.utf8_length(text)
    hidden = pc.subtract(length, first + last)
    sign, nothing = pa.scalar(mask, text.type), pa.scalar("", text.type)
    masked = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(text, 0, first),
        pc.binary_repeat(sign, pc.max_element_wise(hidden, 0, skip_nulls=False)),
        pc.utf8_slice_codeunits(text, -last) if last else nothing,
        nothing,
    )
    return pc.if_else(pc.greater(hidden, 0), masked, pc.binary_repeat(sign, length))
