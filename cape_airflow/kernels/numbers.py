"""Numbers: from Arrow to numpy and back, rounding, casting and adding, without ever wrapping round."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels.refusal import refused, refusing

Numbers = npt.NDArray[Any]

_WORDS = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


def is_number(column_type: pa.DataType) -> bool:
    """Whether the type is an integer or a float."""
    return bool(pa.types.is_integer(column_type) or pa.types.is_floating(column_type))


def is_decimal(column_type: pa.DataType) -> bool:
    """Whether the type is a decimal to calculate with: of 128 or 256 bits, at most 75 digits, scale not negative."""
    types = pa.types
    is_wide = types.is_decimal128(column_type) or types.is_decimal256(column_type)
    return bool(is_wide and column_type.precision < 76 and column_type.scale >= 0)


def to_numpy(array: pa.Array) -> Numbers:
    """Return the values of integers, floats, dates (days or ms) or timestamps (ticks); zero bits where null."""
    words: Numbers = array.view(_WORDS[array.type.bit_width]).fill_null(0).to_numpy(zero_copy_only=False)
    return words.view(_numpy_type(array.type))


def words_of(array: pa.Array) -> npt.NDArray[np.uint64]:
    """Return the 64-bit words of each value, shape (values, 1, 2 or 4); of no meaning where null.

    Integers of every type and floats of every type that are equal have equal words, -0.0 those of 0.0; dates and
    timestamps those of their ticks; decimals of 128 and 256 bits those of all their digits as one integer.
    """
    if pa.types.is_decimal(array.type):
        count = array.type.bit_width // 64
        everything = np.frombuffer(array.buffers()[1], "<u8").reshape(-1, count)
        return everything[array.offset : array.offset + len(array)].astype(np.uint64, copy=False)
    values = to_numpy(array)
    wide = values.astype(np.float64) + 0.0 if values.dtype.kind == "f" else values.astype(np.int64)
    return wide.view(np.uint64).reshape(-1, 1)


def from_numpy(values: Numbers, like: pa.Array, column_type: pa.DataType) -> pa.Array:
    """Return `values` as an Arrow array of `column_type`, null where `like` is null."""
    word = _WORDS[column_type.bit_width]
    words = np.ascontiguousarray(values, _numpy_type(column_type)).view(word.to_pandas_dtype())
    mask = like.is_null().to_numpy(zero_copy_only=False) if like.null_count else None
    return pa.array(words, word, mask=mask).view(column_type)


def round_half_even(array: pa.Array, digits: int) -> pa.Array:
    """Round to `digits` decimal places, ties to even; negative digits round to tens, hundreds and so on.

    Integers and decimals are rounded exactly, floats as numpy rounds them: on the scaled value.

    Raises:
        ValueRefused: values whose rounding does not fit the type.
    """
    why = f"out of the range of {array.type} once rounded; choose a `precision` nearer to zero, or a wider type"
    if not pa.types.is_floating(array.type):
        # Arrow turns a decimal that outgrows its type into zero if another value follows; one more digit makes room.
        roomy = _one_digit_wider(array.type) if is_decimal(array.type) else array.type
        return refusing(lambda part: pc.round(part.cast(roomy), digits, "half_to_even").cast(array.type), array, why)
    values = to_numpy(array)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(values, digits)
    lost = np.isfinite(values) & ~np.isfinite(rounded)
    if digits < 0:
        refuse_where(lost, array, why)
    # A float too large to be scaled up has no decimal places to lose.
    return from_numpy(np.where(lost, values, rounded), array, array.type)


def _one_digit_wider(decimal: pa.DataType) -> pa.DataType:
    kind = pa.decimal128 if decimal.precision < _DIGITS_OF_128_BITS else pa.decimal256
    return kind(decimal.precision + 1, decimal.scale)


def can_round(column_type: pa.DataType, digits: int) -> bool:
    """Whether rounding to `digits` makes sense in the type: zero can be."""
    try:
        round_half_even(pa.array(["0"]).cast(column_type), digits)
    except ValueRefused:
        return False
    return True


def cast_numbers(array: pa.Array, column_type: pa.DataType) -> pa.Array:
    """Cast numbers as numpy does, fractions cut off toward zero, but refuse what would wrap round or become infinite.

    Raises:
        ValueRefused: values out of the range of `column_type`; NaN and infinity where that is an integer.
    """
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    if pa.types.is_floating(column_type):
        return _cast_to_float(array, column_type)
    whole = pc.trunc(array) if pa.types.is_floating(array.type) else array
    return refusing(
        lambda part: part.cast(column_type), whole, f"out of the range of {column_type}; choose a wider `dtype`"
    )


def add_clipped(values: Numbers, noise: npt.NDArray[np.int64], kind: npt.DTypeLike) -> tuple[Numbers, Numbers]:
    """Add integers; where the sum leaves the range of the integer type `kind`, it stops at the range's end.

    Args:
        values: integers in the range of `kind`.

    Returns:
        The sums, as `kind`, and where they were stopped.
    """
    limits = np.iinfo(kind)
    if not len(values):
        return values.astype(kind), np.zeros(0, bool)
    least, most = int(values.min()) + int(noise.min()), int(values.max()) + int(noise.max())
    if limits.min <= least and most <= min(limits.max, np.iinfo(np.int64).max):
        return (values.astype(np.int64) + noise).astype(kind), np.zeros(len(values), bool)
    # Modulo 2^64 the distance to either end of the range is exact, whatever the type.
    wide = values.astype(np.uint64)
    up, down = _modulo(limits.max) - wide, wide - _modulo(limits.min)
    step, room = np.abs(noise).view(np.uint64), np.where(noise >= 0, up, down)
    moved = np.minimum(step, room)
    return np.where(noise >= 0, wide + moved, wide - moved).astype(kind), step > room


def add_clipped_decimals(array: pa.Array, noise: npt.NDArray[np.int64]) -> pa.Array:
    """Add whole multiples of the last decimal place to decimals; sums stop at the largest number of the type.

    Args:
        array: decimals (see `is_decimal`).
        noise: one number of last places per value.
    """
    precision, scale = array.type.precision, array.type.scale
    digits = max(precision, 19) + 1
    kind = pa.decimal128 if digits <= _DIGITS_OF_128_BITS else pa.decimal256
    wide = kind(digits, scale)
    steps = pa.array(noise).cast(kind(19, 0)).view(kind(19, scale)).cast(wide)
    end = Decimal(10**precision - 1).scaleb(-scale, _EXACT)
    total = pc.add(array.cast(wide), steps)
    for limit, function in ((end, pc.min_element_wise), (end.copy_negate(), pc.max_element_wise)):
        total = function(total, pa.scalar(limit, total.type), skip_nulls=False)
    return total.cast(array.type)


def add_floats(array: pa.Array, noise: npt.NDArray[np.float64]) -> pa.Array:
    """Add to floats; sums stop at the largest finite number of the type, NaN and infinity stay."""
    values = to_numpy(array)
    end = float(np.finfo(values.dtype).max)
    with np.errstate(over="ignore", invalid="ignore"):
        total = (values.astype(np.float64) + noise).clip(-end, end)
    return from_numpy(np.where(np.isfinite(values), total, values), array, array.type)


def refuse_where(outside: Numbers, array: pa.Array, why: str) -> None:
    """Refuse if there is a non-null value of `array` where `outside` is true.

    Raises:
        ValueRefused: there are; "N values refused: " and `why`.
    """
    count = int((outside & array.is_valid().to_numpy(zero_copy_only=False)).sum())
    if count:
        raise refused(count, why)


_EXACT = Context(prec=100)
_DIGITS_OF_128_BITS = 38


def _modulo(number: int) -> np.uint64:
    return np.uint64(number % 2**64)


def _numpy_type(column_type: pa.DataType) -> np.dtype[Any]:
    counted = column_type if is_number(column_type) else _WORDS[column_type.bit_width]
    return np.dtype(cast("type[Any]", counted.to_pandas_dtype()))


def _cast_to_float(array: pa.Array, column_type: pa.DataType) -> pa.Array:
    result = array.cast(column_type, safe=False)
    if pa.types.is_floating(array.type):
        lost = pc.and_(pc.is_finite(array), pc.is_inf(result))
        if pc.any(lost).as_py():
            raise refused(pc.sum(lost).as_py(), f"out of the range of {column_type}; choose a wider `dtype`")
    return result
