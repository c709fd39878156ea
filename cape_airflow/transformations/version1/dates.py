"""Cape's dates: `date-truncation`, `date-perturbation`."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import model_validator

from cape_airflow.errors import DatasetError, SchemaMismatch
from cape_airflow.kernels import dates, noise
from cape_airflow.kernels.numbers import add_clipped, from_numpy, refuse_where, to_numpy
from cape_airflow.transformations.base import Binding, Example, Family, Kernel
from cape_airflow.transformations.parameters import Frequencies, Frequency, Integers
from cape_airflow.transformations.randomized import Randomized
from cape_airflow.transformations.values import Elementwise

# Cape knew no calendar here: a year is 365 days and a month 30.
_SECONDS = {"year": 365 * 86_400, "month": 30 * 86_400, **dates.SECONDS}
_BLOCK = 1 << 16  # draws at a time when a stream is skipped

Draw = Callable[[int], npt.NDArray[np.int64]]
"""Gives the next so many numbers of units."""


class DateTruncation(Elementwise):
    """Put dates and timestamps back to the start of their year, month, day, hour, minute or second.

    Takes dates and timestamps. Timestamps with a zone are truncated in UTC and lose the zone, as in Cape; dates have no
    time to lose.

    Not given: local days. Use `date-truncate` for timestamps with a zone.

    Args:
        frequency: year, month, day, hour, minute or second, in any case.
    """

    type: ClassVar[str] = "date-truncation"
    family: ClassVar[Family] = Family.GENERALIZATION
    example: ClassVar[Example] = Example("2018-10-03", "2018-10-01", {"frequency": "month"}, "date32")

    frequency: Frequency

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type, without its zone."""
        if not dates.is_temporal(input_type):
            raise self.unsupported(input_type, "dates and timestamps")
        return pa.timestamp(input_type.unit) if pa.types.is_timestamp(input_type) else input_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel of Arrow's calendar functions."""
        return lambda array: dates.floor(array.cast(self.value_type(array.type)), self.frequency)


class DatePerturbation(Randomized):
    """Move dates and timestamps by whole units of one or several frequencies; a year is 365 days, a month 30.

    Takes dates and timestamps. With a `seed`, the noise is Cape's: numpy's PCG64, one draw per row and frequency, nulls
    included, all rows of the first frequency before the second. Dates move by whole days. Moves out of the range of the
    type are refused.

    Not given: differential privacy, or the same shift for all rows of one person.

    Args:
        frequency: year, month, day, hour, minute, second, or several; any case, singular or plural.
        min: least number of units, included; as many as frequencies.
        max: number of units that is no longer reached; as many as frequencies.
        seed: makes the noise repeatable: whoever knows it can take the noise away.
    """

    type: ClassVar[str] = "date-perturbation"
    aliases: ClassVar[tuple[str, ...]] = ("date-pertubation",)
    example: ClassVar[Example] = Example(
        "2020-02-15", "2020-11-11", {"frequency": "MONTH", "min": -10, "max": 10, "seed": 1234}, "date32"
    )

    frequency: Frequencies
    min: Integers
    max: Integers

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        if not len(self.frequency) == len(self.min) == len(self.max):
            raise ValueError("`frequency`, `min` and `max` are lists of the same length")
        if any(low >= high for low, high in zip(self.min, self.max, strict=True)):
            raise ValueError("`min` is below `max`")
        return self

    @property
    def adds_nothing(self) -> str:
        """Everything, where there is only one number of each unit to draw: `max` is no longer reached."""
        return "any value" if all(high - low == 1 for low, high in zip(self.min, self.max, strict=True)) else ""

    @property
    def needs_row_count(self) -> bool:
        """A second seeded frequency begins where the first one ends: after all rows."""
        return self.seed is not None and len(self.frequency) > 1

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type."""
        if not dates.is_temporal(input_type):
            raise self.unsupported(input_type, "dates and timestamps")
        reach = sum(
            max(-low, high, 0) * _SECONDS[unit]
            for unit, low, high in zip(self.frequency, self.min, self.max, strict=True)
        )
        if dates.ticks(input_type, reach) >= 2**63 or reach >= 2**63:
            raise SchemaMismatch(f"`{self.type}`: {input_type} cannot hold moves of that many units")
        return input_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with one stream of draws per frequency, which go on from batch to batch.

        Raises:
            DatasetError: the row count is needed and not known.
        """
        streams = self._streams(binding.row_count)

        def perturb(array: pa.Array) -> pa.Array:
            seconds = np.zeros(len(array), np.int64)
            for unit, draw in zip(self.frequency, streams, strict=True):
                seconds += draw(len(array)) * _SECONDS[unit]
            values = to_numpy(array)
            moved, outside = add_clipped(values, _in_ticks(seconds, array.type), values.dtype)
            refuse_where(outside, array, f"moved out of the range of {array.type}; use a coarser timestamp unit")
            return from_numpy(moved, array, array.type)

        return perturb

    def _streams(self, row_count: int | None) -> list[Draw]:
        """Return how each frequency draws; seeded, from where Cape's one generator stood when it came to it."""
        bounds = list(zip(self.min, self.max, strict=True))
        if self.seed is None:
            return [partial(_fresh, low, high - 1) for low, high in bounds]
        if self.needs_row_count and row_count is None:
            raise DatasetError(
                f"`{self.type}` with a seed and several frequencies needs the number of rows before the first one; "
                "read from a source that knows it, or split the frequencies into several transformations"
            )
        generator, streams = np.random.default_rng(self.seed), list[Draw]()
        for low, high in bounds:
            streams.append(_draw_from(deepcopy(generator), low, high))
            for start in range(0, row_count or 0, _BLOCK):
                generator.integers(low, high, min(_BLOCK, (row_count or 0) - start))
        return streams


def _fresh(low: int, high: int, count: int) -> npt.NDArray[np.int64]:
    return noise.Stream(noise.system_words, count).integers(low, high)


def _draw_from(generator: np.random.Generator, low: int, high: int) -> Draw:
    return lambda count: generator.integers(low, high, count)


def _in_ticks(seconds: npt.NDArray[np.int64], column_type: pa.DataType) -> npt.NDArray[np.int64]:
    """Return moves in ticks of the column; dates move by whole days, toward the past."""
    if pa.types.is_date(column_type):
        return seconds // dates.SECONDS["day"] * dates.ticks(column_type, dates.SECONDS["day"])
    return seconds * dates.ticks(column_type, 1)
