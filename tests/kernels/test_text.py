from __future__ import annotations

from datetime import date
from decimal import Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels import text

BROKEN = pa.array([b"ok", b"\xff\xfe", None, b"\xed\xa0\x80", b"\xc3"]).view(pa.string())


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view()])
def test_text_that_is_not_utf_8_is_refused_and_counted(kind: pa.DataType) -> None:
    broken = BROKEN.cast(kind)
    with pytest.raises(ValueRefused, match=r"^3 values refused: not valid UTF-8; repair the source"):
        text.checked_text(broken)
    assert text.checked_text(broken[:1]).to_pylist() == ["ok"]


@given(values=st.lists(st.one_of(st.none(), st.text())))
def test_valid_text_is_left_alone(values: list[str | None]) -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        array = pa.array([None, *values], kind)[1:]
        assert text.canonical_text(array).to_pylist() == values
        assert text.canonical_text(array).type == text.text_type(kind)


@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=-(10**20), max_value=10**20))
def test_decimals_are_plain_and_without_trailing_zeros(number: Decimal) -> None:
    for kind in (pa.decimal128(38, 7), pa.decimal256(60, 10)):
        [written] = text.canonical_text(pa.array([number], kind)).to_pylist()
        assert Decimal(written) == number
        assert "E" not in written
        assert "." not in written or written[-1] not in "0."


def test_other_types_have_one_text() -> None:
    assert text.canonical_text(pa.array([1, None, -5], pa.int8())).to_pylist() == ["1", None, "-5"]
    assert text.canonical_text(pa.array([True, False])).to_pylist() == ["true", "false"]
    for kind in (pa.date32(), pa.date64()):
        assert text.canonical_text(pa.array([date(1969, 12, 31)], kind)).to_pylist() == ["1969-12-31"]


@pytest.mark.parametrize("kind", [pa.float64(), pa.timestamp("s"), pa.binary(), pa.list_(pa.int8()), pa.null()])
def test_types_whose_text_is_not_unique_have_none(kind: pa.DataType) -> None:
    assert not text.has_canonical_text(kind)


@given(values=st.lists(st.one_of(st.none(), st.text())), encoding=st.sampled_from(["utf-8", "utf-16", "utf-7"]))
def test_decoding_gives_back_what_was_encoded(values: list[str | None], encoding: str) -> None:
    array = pa.array(values, pa.large_string())
    encoded = text.encode(array, encoding)
    assert encoded.to_pylist() == [None if value is None else value.encode(encoding) for value in values]
    assert text.decode(encoded, encoding).equals(array)


def test_what_an_encoding_cannot_say_is_refused_and_counted() -> None:
    with pytest.raises(
        ValueRefused, match=r"^2 values refused: not to be written in latin-1; choose another `encoding`$"
    ):
        text.encode(pa.array(["Zoë", "日本", None, "€"]), "latin-1")
    with pytest.raises(ValueRefused, match=r"^1 value refused: not text in utf-8; give the `encoding`"):
        text.decode(pa.array([b"\xff", b"ok"]), "utf-8")


@pytest.mark.parametrize(
    "kind", [pa.decimal128(38, 2), pa.decimal128(38, 30), pa.decimal256(76, 9), pa.decimal128(9, 0)]
)
def test_decimals_large_and_small_are_written_as_python_writes_them_without_exponent(kind: pa.DataType) -> None:
    largest = 10**kind.precision - 1
    units = [0, 1, -1, 5, 10, -120, 10**6, 10**8, -(10**8) - 1, largest, -largest, largest // 7]
    numbers = [Decimal(unit).scaleb(-kind.scale, Context(prec=100)) for unit in units if abs(unit) <= largest]
    expected = [f"{number:f}" for number in numbers]
    expected = [one.rstrip("0").rstrip(".") if "." in one else one for one in expected]
    array = pa.array([None, *numbers], kind)
    assert text.canonical_text(array[1:]).to_pylist() == expected
    assert text.canonical_text(array).to_pylist() == [None, *expected]


def test_decimals_of_negative_scale_have_all_their_digits() -> None:
    array = pa.array([Decimal("1200"), Decimal(0), Decimal("-99900"), None], pa.decimal128(5, -2))
    assert text.canonical_text(array).to_pylist() == ["1200", "0", "-99900", None]
