"""Parameter types that several techniques share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import pyarrow as pa
from pydantic import BeforeValidator, Field, WithJsonSchema

Item = TypeVar("Item")


def _as_tuple(value: object) -> object:
    return value if isinstance(value, tuple) else (value,)


def _one_or_more(item: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": item}, {"type": "array", "items": {"type": item}, "minItems": 1}]})


def _singular(value: object) -> object:
    """Read ``DAY``, ``day`` and ``Days`` alike."""
    return value.casefold().removesuffix("s") if isinstance(value, str) else value


def _frequencies(value: object) -> object:
    return tuple(_singular(item) for item in value) if isinstance(value, tuple) else (_singular(value),)


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_tuple), _one_or_more("string")]
"""One name or several."""

Integers = Annotated[tuple[int, ...], Field(min_length=1), BeforeValidator(_as_tuple), _one_or_more("integer")]
"""One integer or several."""

Frequency = Annotated[
    Literal["year", "month", "day", "hour", "minute", "second"],
    BeforeValidator(_singular),
    WithJsonSchema({"type": "string"}),
]
"""A unit of time as Cape wrote it: ``YEAR``, ``MONTH``, ``DAY``, ``HOUR``, ``minutes``, ``seconds``, in any case."""

Frequencies = Annotated[
    tuple[Literal["year", "month", "day", "hour", "minute", "second"], ...],
    Field(min_length=1),
    BeforeValidator(_frequencies),
    _one_or_more("string"),
]
"""One frequency or several."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that is neither infinite nor NaN."""

Precision = Annotated[int, Field(ge=-300, le=300)]
"""Decimal places; negative for tens, hundreds and so on."""

Seed = Annotated[int, Field(ge=0)] | None
"""Makes randomness repeatable; None draws fresh from the operating system."""

DTypeName = Literal["Float", "Double", "Byte", "Short", "Integer", "Long"]
"""Cape's names of number types."""

DTYPES: dict[str, Any] = {
    "Float": pa.float32(),
    "Double": pa.float64(),
    "Byte": pa.int8(),
    "Short": pa.int16(),
    "Integer": pa.int32(),
    "Long": pa.int64(),
}
"""The Arrow types that Cape's names stand for."""
