"""Types of text formats: as users write them, and as the first rows suggest them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pyarrow as pa

from cape_airflow.errors import DatasetError, did_you_mean

ColumnTypes = Mapping[str, str | pa.DataType]

_DECIMAL = re.compile(r"decimal(128|256)\((\d+), ?(-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), ?(?:tz=)?([\w/+:-]+)\]")


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


def with_leaves(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a type with what `change` makes of the types inside its structs and lists, at any depth."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(with_leaves(field.type, change)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(with_leaves(kind.value_type, change)))
    return change(kind)


def without_null_types(kind: pa.DataType) -> pa.DataType:
    """Return the type with text in place of null: where the first rows are all empty, later ones may not be."""
    return with_leaves(kind, lambda leaf: pa.string() if pa.types.is_null(leaf) else leaf)
