"""Generalization: values made coarser, equal for many people."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa

from cape_airflow.errors import SchemaMismatch
from cape_airflow.kernels import dates
from cape_airflow.kernels.numbers import can_round, is_decimal, is_number, round_half_even
from cape_airflow.transformations.base import Binding, Example, Family, Kernel
from cape_airflow.transformations.parameters import Precision
from cape_airflow.transformations.values import Elementwise


class Round(Elementwise):
    """Round numbers, ties to even (ISO/IEC 20889 rounding); the type stays.

    Takes integers and decimals, rounded exactly, and floats, rounded on the scaled value as numpy does.

    Not given: safety of rare values. The only salary above a million stays the only one.

    Args:
        precision: decimal places; negative for tens (-1), hundreds (-2) and so on.
    """

    type: ClassVar[str] = "round"
    family: ClassVar[Family] = Family.GENERALIZATION
    example: ClassVar[Example] = Example("48731", "49000", {"precision": -3}, "int64")

    precision: Precision

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type, an integer, float or decimal in which the precision makes sense."""
        if not (is_number(input_type) or is_decimal(input_type)):
            raise self.unsupported(input_type, "integers, floats and decimals")
        if not can_round(input_type, self.precision):
            raise SchemaMismatch(f"`{self.type}`: precision {self.precision} is out of range for {input_type}")
        return input_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel that refuses values whose rounding does not fit the type."""
        return lambda array: round_half_even(array, self.precision)


class DateTruncate(Elementwise):
    """Put dates and timestamps back to the start of their year, month, day and so on; the type stays.

    Takes dates and timestamps. Timestamps with a zone are truncated in that zone's local time, which from 2038 on
    knows no summer time (a limit of Arrow). Weeks begin on Monday.

    Not given: safety of rare values, e.g. of the only birth year before 1930.

    Args:
        unit: year, quarter, month, week, day, hour, minute or second; dates take day and longer.
    """

    type: ClassVar[str] = "date-truncate"
    family: ClassVar[Family] = Family.GENERALIZATION
    example: ClassVar[Example] = Example("1984-07-23", "1984-07-01", {"unit": "month"}, "date32")

    unit: Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type."""
        if not dates.is_temporal(input_type):
            raise self.unsupported(input_type, "dates and timestamps")
        if pa.types.is_date(input_type) and self.unit in {"hour", "minute", "second"}:
            raise SchemaMismatch(f"`{self.type}`: a date has no {self.unit}; choose day or longer")
        return input_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel of Arrow's calendar functions."""
        return lambda array: dates.floor(array, self.unit)
