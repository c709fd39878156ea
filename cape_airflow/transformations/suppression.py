"""Suppression: columns, rows, values or characters that do not come out."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, model_validator

from cape_airflow.arrow_types import unwrapped
from cape_airflow.errors import SchemaMismatch
from cape_airflow.kernels.mask import check_pattern, mask_all_but_ends, mask_matches
from cape_airflow.kernels.numbers import is_number
from cape_airflow.kernels.text import is_text, text_type, without_views, written
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, Technique
from cape_airflow.transformations.grammar import Grammar, literal, repeated
from cape_airflow.transformations.parameters import Names
from cape_airflow.transformations.values import Elementwise

Count = Annotated[int, Field(ge=0)]


def _readable(pattern: str) -> str:
    check_pattern(pattern)
    return pattern


_NOTHING = r"[^\s\S]"  # matches no text
Pattern = Annotated[str, AfterValidator(_readable)]


class SuppressAttribute(Technique):
    """Drop whole columns (ISO/IEC 20889 suppression).

    Not given: safety of what is left. The other columns may still identify people in combination.

    Args:
        columns: names to drop; empty for the column that the rule matched.
    """

    type: ClassVar[str] = "suppress-attribute"
    aliases: ClassVar[tuple[str, ...]] = ("column-redact",)
    family: ClassVar[Family] = Family.SUPPRESSION
    linkable: ClassVar[bool] = False
    example: ClassVar[Example] = Example("1 Main Street", "(no such column)", {"columns": ["address"]})

    columns: Names = ()


class SuppressRecord(Technique):
    """Drop the rows for which a condition is true (ISO/IEC 20889 record suppression); null is not true.

    Not given: secrecy of the condition. Who knows it and knows of a person learns from the missing row.

    Args:
        condition: the condition; None for the rule's own ``where``.
    """

    type: ClassVar[str] = "suppress-record"
    aliases: ClassVar[tuple[str, ...]] = ("row-redact",)
    family: ClassVar[Family] = Family.SUPPRESSION
    linkable: ClassVar[bool] = False
    example: ClassVar[Example] = Example("17", "(no such row)", {"condition": "age < 18"}, "int64")

    condition: str | None = None


class SuppressValue(Elementwise):
    """Replace every value by null or by one constant (ISO/IEC 20889 local suppression).

    Takes every type that is not nested.

    Not given: secrecy of which rows had a value. With a `replacement`, nulls stay null.

    Args:
        replacement: of the column's type; dates and timestamps as ISO 8601 text, decimals as text. None for null.
    """

    type: ClassVar[str] = "suppress-value"
    family: ClassVar[Family] = Family.SUPPRESSION
    linkable: ClassVar[bool] = False
    example: ClassVar[Example] = Example("alice@example.com", "withheld", {"replacement": "withheld"})

    replacement: bool | int | float | str | None = None

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type, if the replacement is of it; string for string_view."""
        if pa.types.is_nested(unwrapped(input_type)):  # the names of nested fields would stay, and may be values
            raise self.unsupported(input_type, "plain values; drop the column instead")
        output_type = without_views(input_type)
        self._constant(output_type)
        return output_type

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel that never looks at a value."""

        def suppress(array: pa.Array) -> pa.Array:
            constant = self._constant(without_views(array.type))
            if not constant.is_valid:
                return pa.nulls(len(array), constant.type)
            return pa.repeat(constant, 1).take(pc.if_else(array.is_valid(), 0, None))

        return suppress

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return that of the replacement, or of no value at all."""
        constant = self._constant(without_views(output_type))
        if not constant.is_valid:
            return Grammar(_NOTHING)
        return Grammar(literal(written(pa.repeat(constant, 1))[0].as_py()), bits=0)

    def _constant(self, column_type: pa.DataType) -> pa.Scalar:
        number = is_number(column_type) or pa.types.is_decimal(column_type)
        fits = {bool: pa.types.is_boolean(column_type), int: number, float: number}
        try:
            if fits.get(type(self.replacement), True):
                is_written = self.replacement is None or isinstance(self.replacement, bool)
                return pa.scalar(self.replacement if is_written else str(self.replacement)).cast(column_type)
        except pa.ArrowException:
            pass  # said below
        raise SchemaMismatch(f"the `replacement` of `{self.type}` is not a {column_type}")


class CharacterMask(Elementwise):
    """Replace characters by a mask (ISO/IEC 20889 masking): all but the first and last few, or what a pattern matches.

    Takes text. A value with no more characters than are to be kept is masked whole. Characters are code points.

    With a `pattern`, each match becomes one mask: ``[0-9]`` hides digit by digit, ``^[^@]+`` a whole local part and its
    length. A value in which it changes nothing is masked whole, so that no value comes out as it was.

    Not given: secrecy of what is kept, nor, without a pattern, of the length. These may identify people; distinct
    values may look alike.

    Args:
        keep_first: characters shown at the start.
        keep_last: characters shown at the end.
        pattern: a regular expression of RE2, as pyarrow takes it; instead of `keep_first` and `keep_last`.
        mask: the one character that stands for a hidden one.
    """

    type: ClassVar[str] = "character-mask"
    family: ClassVar[Family] = Family.SUPPRESSION
    example: ClassVar[Example] = Example("4556737586899855", "************9855", {"keep_last": 4})

    keep_first: Count = 0
    keep_last: Count = 0
    pattern: Pattern | None = None
    mask: Annotated[str, Field(min_length=1, max_length=1)] = "*"

    @model_validator(mode="after")
    def _ends_or_a_pattern(self) -> Self:
        if self.pattern is not None and (self.keep_first or self.keep_last):
            raise ValueError("a `pattern` goes with neither `keep_first` nor `keep_last`")
        return self

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return string, or large_string for large_string."""
        if not is_text(input_type):
            raise self.unsupported(input_type, "text")
        return text_type(input_type)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel that masks the middle, or the matches."""
        pattern = self.pattern
        if pattern is not None:
            return lambda array: mask_matches(array, pattern, self.mask)
        return lambda array: mask_all_but_ends(array, self.keep_first, self.keep_last, self.mask)

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return what is shown around at least one mask; masked whole, or, of matches, with one of them anywhere."""
        mask = literal(self.mask)
        if self.pattern is not None:
            return Grammar(f"(?s:.*{mask}.*)?", bits=0)
        first, last = (repeated("(?s:.)", count) for count in (self.keep_first, self.keep_last))
        return Grammar(f"{first}{mask}+{last}|{mask}*", bits=0)
