from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import SchemaMismatch
from cape_airflow.transformations import Transformation, create

Transform = Callable[..., pa.Array]


def _technique(**spec: object) -> Transformation:
    technique = create(spec)
    assert isinstance(technique, Transformation)
    return technique


@given(values=st.lists(st.integers(-(10**17), 10**17)), precision=st.integers(-5, 2))
def test_integers_round_exactly_ties_to_even(values: list[int], precision: int, transform: Transform) -> None:
    expected = [int(_rounded(Decimal(value), min(precision, 0))) for value in values]
    assert transform({"type": "round", "precision": precision}, pa.array(values, pa.int64())).to_pylist() == expected


@given(digits=st.lists(st.integers(-(10**30), 10**30)), precision=st.integers(-5, 5))
def test_decimals_round_exactly_ties_to_even(digits: list[int], precision: int, transform: Transform) -> None:
    values = [Decimal(f"{number}e-4") for number in digits]
    expected = [_rounded(value, min(precision, 4)) for value in values]
    for kind in (pa.decimal128(38, 4), pa.decimal256(50, 4)):
        assert transform({"type": "round", "precision": precision}, pa.array(values, kind)).to_pylist() == expected


def _rounded(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN, Context(prec=60))


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_floats_keep_their_type(kind: pa.DataType, transform: Transform) -> None:
    array = pa.array([0.5, 1.5, 2.5, 1234.0, None]).cast(kind)
    assert transform({"type": "round", "precision": 0}, array).to_pylist() == [0.0, 2.0, 2.0, 1234.0, None]
    assert transform({"type": "round", "precision": -2}, array).to_pylist() == [0.0, 0.0, 0.0, 1200.0, None]


@pytest.mark.parametrize(
    ("kind", "precision"),
    [(pa.int8(), -3), (pa.int64(), -20), (pa.float16(), -5), (pa.float32(), -39), (pa.decimal128(5, 2), -4)],
)
def test_a_precision_that_leaves_nothing_is_refused_before_the_run(kind: pa.DataType, precision: int) -> None:
    with pytest.raises(SchemaMismatch, match=r"`round`: precision -[0-9]+ is out of range for"):
        _technique(type="round", precision=precision).output_type(kind)


STARTS = {
    "year": date(2019, 1, 1),
    "quarter": date(2019, 10, 1),
    "month": date(2019, 12, 1),
    "week": date(2019, 12, 30),
    "day": date(2019, 12, 31),
}


@pytest.mark.parametrize("unit", STARTS)
@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns", "Asia/Kathmandu")])
def test_dates_go_back_to_the_start_of_their_unit(unit: str, kind: pa.DataType, transform: Transform) -> None:
    expected = STARTS[unit]
    array = _local(date(2019, 12, 31), kind, minute=1)
    assert transform({"type": "date-truncate", "unit": unit}, array).equals(_local(expected, kind))


def _local(day: date, kind: pa.DataType, minute: int = 0) -> pa.Array:
    """The day, or that minute of it in the zone of the type, and a null."""
    if pa.types.is_date(kind):
        return pa.array([day, None], kind)
    zone = ZoneInfo(kind.tz) if kind.tz else None
    return pa.array([datetime(day.year, day.month, day.day, 0, minute, tzinfo=zone), None], kind)


@given(
    moments=st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)), min_size=1),
    zone=st.sampled_from(["Europe/Paris", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]),
    unit=st.sampled_from(["day", "hour", "minute", "second"]),
)
def test_truncation_is_in_local_time_also_around_clock_changes(
    moments: list[datetime], zone: str, unit: str, transform: Transform
) -> None:
    kind = pa.timestamp("us", zone)
    result = transform({"type": "date-truncate", "unit": unit}, pa.array(moments, kind))
    for moment, start in zip(moments, result.cast(pa.timestamp("us", "UTC")).to_pylist(), strict=True):
        local = moment.astimezone(ZoneInfo(zone))
        cleared = {"day": ("hour", "minute", "second"), "hour": ("minute", "second"), "minute": ("second",)}
        floor = local.replace(microsecond=0, fold=0, **dict.fromkeys(cleared.get(unit, ()), 0))
        there_and_back = floor.astimezone(UTC).astimezone(ZoneInfo(zone))
        if there_and_back.replace(tzinfo=None) == floor.replace(tzinfo=None):
            assert start == floor.astimezone(UTC)
        else:  # the clock was put forward over the local start: the first moment after
            assert floor.astimezone(UTC) - timedelta(hours=1) <= start <= moment


def test_a_day_that_begins_at_one_o_clock_begins_there(transform: Transform) -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    array = pa.array([datetime(2018, 11, 4, 13, 30, tzinfo=zone)], pa.timestamp("s", zone.key))
    result = transform({"type": "date-truncate", "unit": "day"}, array)
    assert result.to_pylist() == [datetime(2018, 11, 4, 1, 0, tzinfo=zone)]


def test_an_hour_that_comes_twice_is_the_earlier_one(transform: Transform) -> None:
    both = pa.array(["2018-10-28T00:30:00", "2018-10-28T01:30:00"]).cast(pa.timestamp("s"))
    result = transform({"type": "date-truncate", "unit": "hour"}, both.cast(pa.timestamp("s", "Europe/Paris")))
    assert result.cast(pa.int64()).to_pylist() == [1540684800, 1540684800]


@pytest.mark.parametrize("unit", ["hour", "minute", "second"])
def test_a_date_has_no_hours(unit: str) -> None:
    with pytest.raises(SchemaMismatch, match=f"a date has no {unit}; choose day or longer"):
        _technique(type="date-truncate", unit=unit).output_type(pa.date32())
