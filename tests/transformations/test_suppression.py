from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import SchemaMismatch
from cape_airflow.transformations import Transformation, create

Transform = Callable[..., pa.Array]


@given(
    values=st.lists(st.one_of(st.none(), st.text())),
    first=st.integers(0, 5),
    last=st.integers(0, 5),
    mask=st.characters(exclude_categories=["Cs"]),
)
def test_a_mask_shows_only_the_ends_and_never_a_whole_value(
    values: list[str | None], first: int, last: int, mask: str, transform: Transform
) -> None:
    spec = {"type": "character-mask", "keep_first": first, "keep_last": last, "mask": mask}
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert transform(spec, pa.array(values, kind)).to_pylist() == [
            None if value is None else _masked(value, first, last, mask) for value in values
        ]


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("[0-9]", "tel 555-0100", "tel ***-****"),
        ("^[^@]+", "alice@example.com", "*@example.com"),
        ("[a-z]+@", "Zoë, alice@x", "Zoë, *x"),
        ("[0-9]", "no digit", "********"),
        ("[0-9]", "é日", "**"),
        ("[0-9]", "", ""),
        ("^[^@]+", "*@example.com", "*************"),
        ("[0-9]", None, None),
    ],
)
def test_a_pattern_masks_its_matches_and_whatever_would_come_out_as_it_is(
    pattern: str, value: str | None, expected: str | None, transform: Transform
) -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        spec = {"type": "character-mask", "pattern": pattern}
        assert transform(spec, pa.array([value, value], kind)).to_pylist() == [expected, expected]


@given(values=st.lists(st.one_of(st.none(), st.text())), mask=st.sampled_from(["*", "\\", "é", "0"]))
def test_a_pattern_means_in_all_values_what_it_means_in_each(
    values: list[str | None], mask: str, transform: Transform
) -> None:
    spec = {"type": "character-mask", "pattern": "[a-zA-Z0-9é]+", "mask": mask}
    expected = []
    for value in values:
        masked = None if value is None else re.sub("[a-zA-Z0-9é]+", lambda _: mask, value)
        expected.append(masked if masked != value or value is None else mask * len(value))
    assert transform(spec, pa.array(values, pa.string())).to_pylist() == expected


@given(
    values=st.lists(st.one_of(st.none(), st.text(st.characters(codec="ascii"), max_size=12))), start=st.integers(0, 9)
)
def test_only_a_slice_is_masked_and_nothing_of_the_rest_comes_out(
    values: list[str | None], start: int, transform: Transform
) -> None:
    masked = transform({"type": "character-mask", "keep_last": 2}, pa.array(values, pa.string())[start:])
    assert masked.to_pylist() == [None if value is None else _masked(value, 0, 2, "*") for value in values[start:]]
    if len(masked):
        assert len(masked.buffers()[2]) == sum(len(value or "") for value in values[start:])


def _masked(value: str, first: int, last: int, mask: str) -> str:
    hidden = len(value) - first - last
    if hidden <= 0:
        return mask * len(value)
    return value[:first] + mask * hidden + value[len(value) - last :]


@pytest.mark.parametrize(
    ("replacement", "kind", "expected"),
    [
        ("withheld", pa.string(), "withheld"),
        ("withheld", pa.large_string(), "withheld"),
        ("withheld", pa.string_view(), "withheld"),
        (0, pa.int8(), 0),
        (-1.5, pa.float32(), -1.5),
        (2, pa.float64(), 2.0),
        ("1.50", pa.decimal128(5, 2), Decimal("1.50")),
        (3, pa.decimal128(5, 2), Decimal("3.00")),
        ("2020-01-01", pa.date32(), date(2020, 1, 1)),
        ("2020-01-01T12:00:00", pa.timestamp("us"), datetime(2020, 1, 1, 12)),
        (False, pa.bool_(), False),
        ("x", pa.dictionary(pa.int8(), pa.string()), "x"),
    ],
)
def test_a_replacement_stands_for_every_value_but_not_for_null(
    replacement: object, kind: pa.DataType, expected: object, transform: Transform
) -> None:
    array = pa.nulls(1, kind)
    some = transform({"type": "suppress-value", "replacement": replacement}, _some(kind))
    assert some.to_pylist() == [expected, None, expected]
    assert transform({"type": "suppress-value", "replacement": replacement}, array).null_count == 1


def _some(kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return _some(kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_temporal(kind):
        return pa.array([date(1999, 1, 1), None, date(1998, 1, 1)]).cast(kind)
    return pa.array(["1", None, "0"]).cast(kind)


@pytest.mark.parametrize(
    ("replacement", "kind"),
    [
        ("withheld", pa.int64()),
        (300, pa.int8()),
        (1.5, pa.int64()),
        (2**70, pa.int64()),
        (7, pa.date32()),
        (7, pa.string()),
        (True, pa.int64()),
        ("2020-13-01", pa.timestamp("s")),
    ],
)
def test_a_replacement_of_another_type_is_refused_before_the_run(replacement: object, kind: pa.DataType) -> None:
    technique = create({"type": "suppress-value", "replacement": replacement})
    assert isinstance(technique, Transformation)
    with pytest.raises(SchemaMismatch, match="the `replacement` of `suppress-value` is not a"):
        technique.output_type(kind)


def test_without_a_replacement_every_value_becomes_null(transform: Transform) -> None:
    for array in (pa.array([1, None]), pa.array(["x"]).dictionary_encode(), pa.array(["x"], pa.string_view())):
        assert transform({"type": "suppress-value"}, array).null_count == len(array)


def test_nested_columns_are_refused_for_the_names_in_their_type_may_be_values() -> None:
    technique = create({"type": "suppress-value"})
    assert isinstance(technique, Transformation)
    with pytest.raises(SchemaMismatch, match=r"drop the column instead, not struct$"):
        technique.output_type(pa.struct({"alice@example.com": pa.int64()}))
