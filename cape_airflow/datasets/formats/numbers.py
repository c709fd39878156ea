"""Numbers in text: which survive as int64 or float64, so that what is written later is the same number.

``00501`` is a postal code, ``0x1F`` and ``12345678901234567890`` are identifiers: none of them survives as a number.
``10.50`` does, as 10.5.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.datasets.formats.types import with_leaves
from cape_airflow.errors import DatasetError

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_CODE = r"^[+-]?(0[0-9]|[0-9]{19})"
_SHORT = r"^[-+.0-9]{1,15}$"
"""So few digits are always kept by a float64 (IEEE 754-2019: 15 decimal digits survive the way there and back)."""

_EXACT = pa.decimal256(76, 38)
"""Holds the numbers of a JSON text digit by digit."""


def survives(text: pa.Array, kind: pa.DataType) -> bool:
    """Whether every text that is not null prints back as the same number once it is int64 or float64.

    Args:
        text: of strings; spaces around a number do not count.
        kind: int64 or float64.
    """
    text = pc.utf8_trim_whitespace(text.drop_null())
    if not _all(pc.match_substring_regex(text, _NUMBER)) or not _all(pc.invert(pc.match_substring_regex(text, _CODE))):
        return False
    try:
        numbers = text.cast(kind)
    except pa.ArrowInvalid:
        return False
    kept = pc.or_(pc.match_substring_regex(text, _SHORT), pc.equal(numbers.cast(pa.string()), text))
    doubtful = pc.invert(kept)
    pairs = zip(text.filter(doubtful).to_pylist(), numbers.filter(doubtful).to_pylist(), strict=True)
    return all(Decimal(before) == Decimal(repr(after)) for before, after in pairs)


def to_number(column: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """Convert text to the number type that the first rows suggested.

    Raises:
        DatasetError: a value is no such number, or would not survive as one.
    """
    if not survives(column, kind):
        raise DatasetError(
            f"column `{name}` looked like {kind} in the first rows, but later values are not, or have leading zeros "
            f"or more digits than a number keeps; give its type, for example column_types: {{{name}: string}}"
        )
    return pc.utf8_trim_whitespace(column).cast(kind)


def exact_type(kind: pa.DataType, declared: bool) -> pa.DataType:
    """Return the type to read a JSON column as, so that no digit is lost in silence.

    Args:
        kind: what the column is to become.
        declared: the user gave the type: then float64 is meant.
    """
    if pa.types.is_decimal128(kind):  # Arrow's JSON reader wraps around where a number does not fit its scale
        return pa.decimal256(76, kind.scale)
    return kind if declared else with_leaves(kind, lambda leaf: _EXACT if pa.types.is_float64(leaf) else leaf)


def to_doubles(column: pa.Array, name: str) -> pa.Array:
    """Convert the decimals of `exact_type` to float64, at any depth.

    Raises:
        DatasetError: there are numbers that would not print back as the same.
    """
    lost = 0

    def converted(array: pa.Array) -> pa.Array:
        nonlocal lost
        doubles = array.cast(pa.string()).cast(pa.float64())  # by way of text: only that is rounded correctly
        lost += pc.sum(pc.not_equal(array, doubles.cast(pa.string()).cast(_EXACT))).as_py() or 0
        return doubles

    doubles = _with_leaves(column, converted)
    if lost:
        raise DatasetError(
            f"column `{name}`: {lost} numbers would not be kept exactly as double; give its type, for example "
            f"column_types: {{{name}: 'decimal128(38, 0)'}}, or {{{name}: double}} if that is meant"
        )
    return doubles


def _with_leaves(array: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    if array.type == _EXACT:
        return change(array)
    if pa.types.is_struct(array.type):
        children = [_with_leaves(child, change) for child in array.flatten()]
        fields = [field.with_type(child.type) for field, child in zip(array.type, children, strict=True)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if pa.types.is_list(array.type):
        values = _with_leaves(array.values, change)
        kind = pa.list_(array.type.value_field.with_type(values.type))
        return pa.ListArray.from_arrays(array.offsets, values, kind, mask=array.is_null())
    return array


def _all(flags: pa.BooleanArray) -> bool:
    return bool(pc.all(flags, min_count=0).as_py())
