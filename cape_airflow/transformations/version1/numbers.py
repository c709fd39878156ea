"""Cape's numbers: `numeric-rounding`, `numeric-perturbation`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self, cast

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from cape_airflow.errors import SchemaMismatch
from cape_airflow.kernels import noise
from cape_airflow.kernels.numbers import (
    Numbers,
    add_clipped,
    can_round,
    cast_numbers,
    from_numpy,
    is_number,
    refuse_where,
    round_half_even,
    to_numpy,
)
from cape_airflow.transformations.base import Binding, Example, Family, Kernel
from cape_airflow.transformations.parameters import DTYPES, DTypeName, Finite, Precision
from cape_airflow.transformations.randomized import Randomized
from cape_airflow.transformations.values import Elementwise


class NumericRounding(Elementwise):
    """Round numbers, ties to even as numpy does, then cast to `dtype`, fractions cut off for integers.

    Takes integers and floats. Where Cape wrapped round silently (250 as Byte gave -6) the values are refused.

    Not given: safety of rare values. The only salary above a million stays the only one.

    Args:
        dtype: Float, Double, Byte, Short, Integer or Long.
        precision: decimal places; negative for tens, hundreds and so on.
    """

    type: ClassVar[str] = "numeric-rounding"
    family: ClassVar[Family] = Family.GENERALIZATION
    example: ClassVar[Example] = Example("48731.5", "49000", {"dtype": "Integer", "precision": -3}, "double")

    dtype: DTypeName
    precision: Precision

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the type that `dtype` names."""
        if not is_number(input_type):
            raise self.unsupported(input_type, "integers and floats (decimals: `round`)")
        if not can_round(input_type, self.precision):
            raise SchemaMismatch(f"`{self.type}`: precision {self.precision} is out of range for {input_type}")
        return DTYPES[self.dtype]

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel that refuses what does not fit `dtype`."""
        return lambda array: cast_numbers(round_half_even(array, self.precision), DTYPES[self.dtype])


class NumericPerturbation(Randomized):
    """Add uniform noise from `min` to `max`, cast to `dtype` first: integers are cut off toward zero.

    Takes integers and floats. With a `seed`, the noise is Cape's: numpy's PCG64, one draw per row, nulls included. The
    result has the type that numpy gives to the sum of the column and `dtype`. Sums that would wrap round are refused.

    Not given: even noise for integers (from -1 to 1 as Integer is always 0), nor differential privacy. Use `add-noise`.

    Args:
        dtype: Float, Double, Byte, Short, Integer or Long: the type of the noise.
        min: lower end, included.
        max: upper end, not included.
        seed: makes the noise repeatable: whoever knows it can take the noise away.
    """

    type: ClassVar[str] = "numeric-perturbation"
    aliases: ClassVar[tuple[str, ...]] = ("numeric-pertubation",)
    example: ClassVar[Example] = Example("34", "27", {"dtype": "Integer", "min": -10, "max": 10, "seed": 4984}, "int64")

    dtype: DTypeName
    min: Finite
    max: Finite

    @model_validator(mode="after")
    def _noise_fits(self) -> Self:
        if self.min > self.max:
            raise ValueError("`min` is not above `max`")
        limits = np.finfo(self._noise) if self._noise.kind == "f" else np.iinfo(self._noise)
        if self.min < limits.min or self.max > limits.max or math.isinf(self.max - self.min):
            raise ValueError(f"`min` and `max` fit the `dtype` {self.dtype}")
        return self

    @property
    def adds_nothing(self) -> str:
        """Everything, where the draws are cut off to one number, as those from -1 to 1 as Integer are."""
        inside = math.nextafter(self.min, self.max), math.nextafter(self.max, self.min)
        one = self._noise.kind != "f" and math.trunc(inside[0]) == math.trunc(inside[1])
        return "any value" if one or self.min == self.max else ""

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return numpy's type for the sum."""
        if not is_number(input_type):
            raise self.unsupported(input_type, "integers and floats (decimals: `add-noise`)")
        return pa.from_numpy_dtype(np.result_type(input_type.to_pandas_dtype(), self._noise))

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with its own stream of draws, which goes on from batch to batch."""
        draws = self._draws()

        def perturb(array: pa.Array) -> pa.Array:
            total, outside = _add(to_numpy(array), draws(len(array)).astype(self._noise))
            output_type = pa.from_numpy_dtype(total.dtype)
            refuse_where(outside, array, f"out of the range of {output_type} with their noise; choose a wider `dtype`")
            return from_numpy(total, array, output_type)

        return perturb

    def _draws(self) -> Callable[[int], noise.Floats]:
        if self.seed is None:
            return lambda count: noise.Stream(noise.system_words, count).uniform(self.min, self.max)
        generator = np.random.default_rng(self.seed)
        return lambda count: generator.uniform(self.min, self.max, count)

    @property
    def _noise(self) -> np.dtype[Any]:
        return np.dtype(cast("type[Any]", DTYPES[self.dtype].to_pandas_dtype()))


def _add(values: Numbers, drawn: Numbers) -> tuple[Numbers, Numbers]:
    """Return the sums in numpy's type for them, and where they are out of its range."""
    kind = np.result_type(values, drawn)
    if kind.kind != "f":
        return add_clipped(values, drawn.astype(np.int64), kind)
    with np.errstate(over="ignore"):
        total = values + drawn
    return total, np.isfinite(values) & ~np.isfinite(total)
