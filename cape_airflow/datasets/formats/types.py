"""Types of text formats: as users write them, and as the first rows suggest them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.errors import DatasetError, did_you_mean

ColumnTypes = Mapping[str, str | pa.DataType]

_DECIMAL = re.compile(r"decimal(128|256)\((\d+), ?(-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), ?(?:tz=)?([\w/+:-]+)\]")
_EXACT_DOUBLES = 2.0**53
"""Whole numbers up to here are exact as float64 (IEEE 754-2019, 53 bits of significand)."""


def arrow_type(text: str | pa.DataType) -> pa.DataType:
    """Return the Arrow type of a text such as ``int64``, ``timestamp[ms, UTC]`` or ``decimal128(10, 2)``.

    Raises:
        DatasetError: there is no such type.
    """
    if isinstance(text, pa.DataType):
        return text
    if found := _DECIMAL.fullmatch(text):
        make = pa.decimal128 if found[1] == "128" else pa.decimal256
        return make(int(found[2]), int(found[3]))
    if found := _ZONED.fullmatch(text):
        return pa.timestamp(found[1], found[2])
    try:
        return pa.type_for_alias(text)
    except ValueError:
        names = "int64, double, string, date32, timestamp[us], ..."
        raise DatasetError(f"there is no type `{text}`; Arrow's names are {names}") from None


def declared(types: ColumnTypes, known: list[str]) -> dict[str, pa.DataType]:
    """Return the types that the user gave, by column.

    Raises:
        DatasetError: a type or a column does not exist.
    """
    for name in types:
        if name not in known:
            raise DatasetError(f"column_types names column `{name}`, which is not there{did_you_mean(name, known)}")
    return {name: arrow_type(text) for name, text in types.items()}


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds text, in any of Arrow's layouts."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_null_types(kind: pa.DataType) -> pa.DataType:
    """Return the type with text in place of null: where the first rows are all empty, later ones may not be."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(without_null_types(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(without_null_types(kind.value_type))
    return kind


def written_as_text(column: pa.Array) -> bool:
    """Whether number-like text would lose something as a number: leading zeros, or digits beyond the 18th.

    ``00501`` is a postal code, and ``12345678901234567890`` an account: neither survives as a number.
    """
    return bool(pc.any(pc.match_substring_regex(column, r"^\s*[+-]?(0[0-9]|[0-9]{19})")).as_py())


def to_number(column: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """Convert text to the number type that the first rows suggested.

    Raises:
        DatasetError: a value is no such number, or would not survive as one.
    """
    if written_as_text(column):
        raise DatasetError(
            f"column `{name}` looked like {kind} in the first rows, but later values have leading zeros or more digits "
            f"than a number keeps; give its type, for example column_types: {{{name}: string}}"
        )
    try:
        return pc.utf8_trim_whitespace(column).cast(kind)
    except pa.ArrowInvalid:
        failure = DatasetError(
            f"column `{name}` looked like {kind} in the first rows, but later values are not; give its type, for "
            f"example column_types: {{{name}: string}}"
        )
    raise failure


def check_exact(column: pa.Array, name: str) -> None:
    """Refuse whole numbers that were parsed as float64 and are too large for it to be exact.

    Raises:
        DatasetError: there are such numbers.
    """
    count = pc.sum(pc.greater_equal(pc.abs(column), _EXACT_DOUBLES)).as_py()
    if count:
        raise DatasetError(
            f"column `{name}`: {count} numbers are too large to be kept exactly as double; give its type, for example "
            f"column_types: {{{name}: 'decimal128(38, 0)'}}, or {{{name}: double}} if that is meant"
        )
