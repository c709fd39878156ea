"""Which constants compare with which Arrow types, and how."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa

Value = str | int | float | bool


def family(kind: pa.DataType) -> str | None:
    """Return the group of types that compare with each other; None for types that no condition takes."""
    for accepts, name in _FAMILIES:
        if accepts(kind):
            return name
    return None


def to_scalar(value: Value, kind: pa.DataType) -> pa.Scalar | None:
    """Return the constant as Arrow compares it with a column of type `kind`; None where it does not fit.

    Integers must fit an integer column; text compares with dates and timestamps in ISO 8601 form.
    """
    convert = _CONVERSIONS.get(family(kind) or "")
    try:
        return convert(value, kind) if convert else None
    except (pa.ArrowInvalid, OverflowError):
        return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (_is_text, "text"),
    (_is_number, "number"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_date, "date"),
    (lambda kind: bool(pa.types.is_timestamp(kind) and kind.tz), "zoned timestamp"),
    (pa.types.is_timestamp, "timestamp"),
)


def _text(value: Value, kind: pa.DataType) -> pa.Scalar | None:
    return pa.scalar(value, kind) if isinstance(value, str) else None


def _temporal(value: Value, kind: pa.DataType) -> pa.Scalar | None:
    return pa.scalar(value).cast(kind) if isinstance(value, str) else None


def _boolean(value: Value, _kind: pa.DataType) -> pa.Scalar | None:
    return pa.scalar(value) if isinstance(value, bool) else None


def _number(value: Value, kind: pa.DataType) -> pa.Scalar | None:
    if isinstance(value, bool | str):
        return None
    if pa.types.is_decimal(kind):
        return pa.scalar(Decimal(repr(value)))
    if pa.types.is_integer(kind) and isinstance(value, int):
        return pa.scalar(value, kind)
    return pa.scalar(float(value), pa.float64())


_CONVERSIONS: dict[str, Callable[[Value, pa.DataType], pa.Scalar | None]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _temporal,
    "timestamp": _temporal,
    "zoned timestamp": _temporal,
}
