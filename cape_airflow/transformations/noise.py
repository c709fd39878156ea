"""Noise of version 2, from the operating system's randomness or keyed by value or subject; the type stays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import rfc8785
from pydantic import Field, model_validator

from cape_airflow.errors import SchemaMismatch, ValueRefused
from cape_airflow.kernels import dates, noise
from cape_airflow.kernels.numbers import (
    add_clipped,
    add_clipped_decimals,
    add_floats,
    from_numpy,
    is_decimal,
    to_numpy,
    words_of,
)
from cape_airflow.kernels.refusal import refused
from cape_airflow.transformations.base import Binding, Example, Kernel, KeyReference
from cape_airflow.transformations.keyed import subkey
from cape_airflow.transformations.parameters import Finite
from cape_airflow.transformations.randomized import Randomized

_KEY = 32  # bytes
_LARGEST = 2**62  # of a whole number of noise, so that sums and products stay within 64 bits


class AddNoise(Randomized):
    """Add random noise to numbers, dates and timestamps (ISO/IEC 20889 noise addition); the type stays.

    Takes integers, floats, decimals, dates and timestamps. Whole types get whole noise: integers, decimals in their
    last place, dates and timestamps in whole `unit`s, uniform with both ends included. A sum beyond the range of the
    type stops at its end. NaN and infinity stay.

    Noise is drawn anew for every row and run. With `consistent: true` it is drawn for every value instead, by a keyed
    pseudorandom function (AES): equal values of a type get equal noise in all columns and data sets with the same key
    and domain, so that repeated runs cannot be averaged, and tables still agree. All types of integers count as one
    type, and so do all types of floats. Between unlike processors, the last bits of gaussian and laplace noise may
    differ in floats. When the key is rotated, the noise changes.

    With `subject` it is drawn for every value of another column instead, as for every patient (date shifting): all of a
    subject's dates and timestamps, all its integers, all its floats move by the same amount, in all columns and data
    sets with the same key, domain, distribution, `min`, `max`, `scale` and `unit`, so that the days between two visits
    stay. Where one of these differs, so does the noise, and tells nothing of the other. The subject is taken as it came
    in, whatever becomes of its column, by its text: the integer 5, the decimal 5.00 and the text ``5`` are one. A value
    without a subject is refused.

    Not given: differential privacy. The noise is not calibrated and no budget is kept; outliers stay outliers, and
    averages over many rows or repeated runs uncover what one row hides. Consistent noise shows which values are equal,
    and who learns one true value knows it in all rows; noise by `subject` keeps what lies between two values of one
    subject, and who learns one true value knows all of that subject. The time of day stays where `unit` is day.

    Args:
        distribution: uniform, gaussian or laplace.
        min: lower end of uniform noise.
        max: upper end of uniform noise.
        scale: standard deviation of gaussian noise; scale parameter b of laplace noise.
        unit: for dates and timestamps: week, day, hour, minute or second.
        consistent: whether equal values get equal noise; needs a `key`.
        key: for consistent noise, at least 32 bytes; the primary version is used.
        subject: for consistent noise: the column whose values get noise each of their own, instead of the values
            themselves. It holds text, integers, dates, decimals or booleans, and may be dropped.
        seed: only for tests: whoever knows it can take the noise away.
    """

    type: ClassVar[str] = "add-noise"
    example: ClassVar[Example] = Example("34", "36", {"min": -5, "max": 5, "seed": 3}, "int64")

    distribution: Literal["uniform", "gaussian", "laplace"] = "uniform"
    min: Finite | None = None
    max: Finite | None = None
    scale: Annotated[Finite, Field(gt=0)] | None = None
    unit: Literal["week", "day", "hour", "minute", "second"] | None = None
    consistent: bool = False
    key: KeyReference | None = None
    subject: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _consistent_noise_is_keyed(self) -> Self:
        if self.consistent != (self.key is not None):
            raise ValueError("`consistent: true` and a `key` go together")
        if self.consistent and self.seed is not None:
            raise ValueError("consistent noise takes its randomness from the key, not from a `seed`")
        if self.subject is not None and not self.consistent:
            raise ValueError("a `subject` needs `consistent: true` and a `key`")
        return self

    @model_validator(mode="after")
    def _parameters_of_the_distribution(self) -> Self:
        bounded, scaled = self.min is not None and self.max is not None, self.scale is not None
        if self.distribution != "uniform":
            if not scaled or self.min is not None or self.max is not None:
                raise ValueError(f"{self.distribution} noise needs `scale`, and neither `min` nor `max`")
        elif not bounded or scaled:
            raise ValueError("uniform noise needs `min` and `max`, and no `scale`")
        elif not 0 < (self.max or 0) - (self.min or 0) < math.inf:
            raise ValueError("`min` is less than `max`")
        return self

    @property
    def is_linkable(self) -> bool:
        """Whether equal values, of one subject where there is one, stay equal."""
        return self.consistent

    @property
    def adds_nothing(self) -> str:
        """Whole types, where the range holds no two whole numbers; decimals have theirs in the last place."""
        if self.min is None or self.max is None or math.floor(self.max) - math.ceil(self.min) >= 1:
            return ""
        return "integers, dates and timestamps"

    @property
    def other_columns(self) -> Mapping[str, str]:
        """The subject, where there is one."""
        return {"subject": self.subject} if self.subject is not None else super().other_columns

    def notes(self) -> Iterator[str]:
        """Say what this noise is not, and what consistent noise shows."""
        yield from super().notes()
        if self.subject is not None:
            yield (
                f"noise by `{self.subject}`: what lies between two values of one subject is kept exactly, and whoever "
                "learns one true value knows all of that subject"
            )
        elif self.consistent:
            yield "consistent noise: equal values stay equal, and whoever learns one true value knows it in all rows"

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type."""
        if dates.is_temporal(input_type) != (self.unit is not None):
            raise SchemaMismatch(
                f"`{self.type}`: dates and timestamps need a `unit`, numbers take none; this is {input_type}"
            )
        if pa.types.is_floating(input_type):
            return input_type
        if not (dates.is_temporal(input_type) or pa.types.is_integer(input_type) or is_decimal(input_type)):
            raise self.unsupported(input_type, "numbers, dates and timestamps")
        limit = _LARGEST // self._ticks(input_type)
        low, high = self._whole_bounds(input_type)
        if low > high or max(-low, high) > limit:
            raise SchemaMismatch(f"`{self.type}`: from `min` to `max` there is no noise that {input_type} can hold")
        return input_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with its own stream of random words, or with the key's primary version."""
        source = self._source(binding)

        def add(array: pa.Array, *subject: pa.Array) -> pa.Array:
            draws = source(array, *subject)
            if pa.types.is_floating(array.type):
                return add_floats(array, self._real(draws))
            whole = self._whole(draws, array.type)
            if pa.types.is_decimal(array.type):
                return add_clipped_decimals(array, whole)
            values = to_numpy(array)
            return from_numpy(add_clipped(values, whole, values.dtype)[0], array, array.type)

        return add

    def _source(self, binding: Binding) -> Callable[..., noise.Draws]:
        if self.key is None:
            words = noise.system_words if self.seed is None else noise.seeded_words(self.seed)
            return lambda array: noise.Stream(words, len(array))
        key = binding.keys.get(self.key.ref)
        if self.subject is None:
            secret = subkey(binding, key, key.primary, technique=self.type, length=_KEY)
            return lambda array: noise.Keyed(words_of(array), secret)
        secrets = subkey(binding, key, key.primary, technique=self._of_subjects(), length=2 * _KEY)
        return lambda array, subject: noise.Keyed(self._subjects(array, subject, secrets[:_KEY]), secrets[_KEY:])

    def _of_subjects(self) -> str:
        """Return what subkeys of subject noise are for: with other parameters the noise must tell nothing of this."""
        drawn = self.model_dump(include={"distribution", "min", "max", "scale", "unit"})
        return f"{self.type}/subject/{rfc8785.dumps(drawn).decode()}"

    def _subjects(self, array: pa.Array, subject: pa.Array, secret: bytes) -> npt.NDArray[np.uint64]:
        """Return the words of the subject of each value."""
        unknown = pc.sum(pc.and_(array.is_valid(), subject.is_null())).as_py()
        if unknown:
            way_out = f"suppress such rows, by a rule with `where: {self.subject} is null`"
            raise refused(unknown, f"their `subject`, column `{self.subject}`, is null; {way_out}")
        try:
            return noise.text_words(subject, secret)
        except ValueRefused as error:
            raise ValueRefused(f"`subject`, column `{self.subject}`: {error}") from None

    def _real(self, draws: noise.Draws) -> noise.Floats:
        if self.min is not None and self.max is not None:
            return draws.uniform(self.min, self.max)
        return (draws.gaussian() if self.distribution == "gaussian" else draws.laplace()) * (self.scale or 0.0)

    def _whole(self, draws: noise.Draws, column_type: pa.DataType) -> npt.NDArray[np.int64]:
        ticks = self._ticks(column_type)
        if self.distribution == "uniform":
            return draws.integers(*self._whole_bounds(column_type)) * ticks
        limit = float(_LARGEST // ticks)
        steps = np.rint((self._real(draws) * float(_steps(column_type))).clip(-limit, limit))
        whole: npt.NDArray[np.int64] = steps.astype(np.int64) * ticks
        return whole

    def _whole_bounds(self, column_type: pa.DataType) -> tuple[int, int]:
        """Return the ends of uniform noise in whole steps; (0, 0) for other distributions."""
        low, high = (Fraction(str(bound or 0)) * _steps(column_type) for bound in (self.min, self.max))
        return math.ceil(low), math.floor(high)

    def _ticks(self, column_type: pa.DataType) -> int:
        """Return how many ticks of the column one step of noise is."""
        if self.unit is None:
            return 1
        ticks = dates.ticks(column_type, dates.SECONDS[self.unit])
        if not ticks:
            raise SchemaMismatch(f"`{self.type}`: a date has no {self.unit}; choose day or week")
        return ticks


def _steps(column_type: pa.DataType) -> Fraction:
    """Return how many steps of noise one unit of `min`, `max` and `scale` is."""
    return Fraction(10) ** column_type.scale if pa.types.is_decimal(column_type) else Fraction(1)
