"""Suppression: columns, rows or values that do not come out."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from cape_airflow.errors import SchemaMismatch
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, Technique
from cape_airflow.transformations.elementwise import Elementwise


class SuppressAttribute(Technique):
    """Drop whole columns (ISO/IEC 20889 suppression).

    What is left may still identify people in combination.

    Args:
        columns: names to drop; empty for the column that the rule matched.
    """

    type: ClassVar[str] = "suppress-attribute"
    aliases: ClassVar[tuple[str, ...]] = ("column-redact",)
    family: ClassVar[Family] = Family.SUPPRESSION
    linkable: ClassVar[bool] = False
    example: ClassVar[Example] = Example("1 Main Street", "(no such column)")

    columns: tuple[str, ...] = ()


class SuppressRecord(Technique):
    """Drop the rows for which a condition is true (ISO/IEC 20889 record suppression); null is not true.

    That a row is missing can itself tell something where the reader knows the condition.

    Args:
        condition: the condition; None for the rule's own ``where``.
    """

    type: ClassVar[str] = "suppress-record"
    aliases: ClassVar[tuple[str, ...]] = ("row-redact",)
    family: ClassVar[Family] = Family.SUPPRESSION
    linkable: ClassVar[bool] = False
    example: ClassVar[Example] = Example("17", "(no such row)", {"condition": "age < 18"})

    condition: str | None = None


class SuppressValue(Elementwise):
    """Replace every value by null or by one constant (ISO/IEC 20889 local suppression).

    With a `replacement`, nulls stay null: the output still tells which rows had a value.

    Args:
        replacement: of the column's type; dates and timestamps as ISO 8601 text, decimals as text.
    """

    type: ClassVar[str] = "suppress-value"
    family: ClassVar[Family] = Family.SUPPRESSION
    linkable: ClassVar[bool] = False
    example: ClassVar[Example] = Example("alice@example.com", "withheld", {"replacement": "withheld"})

    replacement: bool | int | float | str | None = None

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type, whatever it is, if the replacement is of it."""
        self._constant(input_type)
        return input_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel that never looks at a value."""

        def suppress(array: pa.Array) -> pa.Array:
            if self.replacement is None:
                return pa.nulls(len(array), array.type)
            constant = pa.repeat(self._constant(array.type), len(array))
            return pa.compute.if_else(array.is_valid(), constant, pa.scalar(None, array.type))

        return suppress

    def _constant(self, column_type: pa.DataType) -> pa.Scalar:
        try:
            return pa.scalar(self.replacement).cast(column_type)
        except pa.ArrowException:
            raise SchemaMismatch(f"the `replacement` of `{self.type}` is not a {column_type}") from None
