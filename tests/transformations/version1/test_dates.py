"""Cape's dates, bit for bit: what Cape Python 0.3 gave on pandas."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import DatasetError, SchemaMismatch, ValueRefused
from cape_airflow.transformations import Transformation, create

Transform = Callable[..., pa.Array]

MOMENTS = ("2018-10-15 10:11:12", "2020-02-29 00:00:00", "1999-12-31 23:59:59")
MOVED = {
    ("YEAR", 1234): ("2027-10-13 10:11:12", "2029-02-26 00:00:00", "2008-12-28 23:59:59"),
    ("YEAR", 42): ("2009-10-17 10:11:12", "2025-02-27 00:00:00", "2002-12-30 23:59:59"),
    ("MONTH", 1234): ("2019-07-12 10:11:12", "2020-11-25 00:00:00", "2000-09-26 23:59:59"),
    ("MONTH", 42): ("2018-01-18 10:11:12", "2020-07-28 00:00:00", "2000-03-30 23:59:59"),
    ("DAY", 1234): ("2018-10-24 10:11:12", "2020-03-09 00:00:00", "2000-01-09 23:59:59"),
    ("DAY", 42): ("2018-10-06 10:11:12", "2020-03-05 00:00:00", "2000-01-03 23:59:59"),
    ("HOUR", 1234): ("2018-10-15 19:11:12", "2020-02-29 09:00:00", "2000-01-01 08:59:59"),
    ("HOUR", 42): ("2018-10-15 01:11:12", "2020-02-29 05:00:00", "2000-01-01 02:59:59"),
    ("minutes", 1234): ("2018-10-15 10:20:12", "2020-02-29 00:09:00", "2000-01-01 00:08:59"),
    ("minutes", 42): ("2018-10-15 10:02:12", "2020-02-29 00:05:00", "2000-01-01 00:02:59"),
    ("seconds", 1234): ("2018-10-15 10:11:21", "2020-02-29 00:00:09", "2000-01-01 00:00:08"),
    ("seconds", 42): ("2018-10-15 10:11:03", "2020-02-29 00:00:05", "2000-01-01 00:00:02"),
}
TRUNCATED = {
    "2018-10-03 09:20:25.123456789": {
        "year": "2018-01-01 00:00:00",
        "month": "2018-10-01 00:00:00",
        "day": "2018-10-03 00:00:00",
        "hour": "2018-10-03 09:00:00",
        "minute": "2018-10-03 09:20:00",
        "second": "2018-10-03 09:20:25",
    },
    "2020-02-29 23:59:59": {
        "year": "2020-01-01 00:00:00",
        "month": "2020-02-01 00:00:00",
        "day": "2020-02-29 00:00:00",
        "hour": "2020-02-29 23:00:00",
        "minute": "2020-02-29 23:59:00",
        "second": "2020-02-29 23:59:59",
    },
    "1969-12-31 12:34:56": {
        "year": "1969-01-01 00:00:00",
        "month": "1969-12-01 00:00:00",
        "day": "1969-12-31 00:00:00",
        "hour": "1969-12-31 12:00:00",
        "minute": "1969-12-31 12:34:00",
        "second": "1969-12-31 12:34:56",
    },
}


def _moments(*texts: str | None, unit: str = "ns", zone: str | None = None) -> pa.Array:
    return pa.array(texts).cast(pa.timestamp("ns")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))


def _perturbation(frequency: Any, low: Any, high: Any, seed: int | None = None) -> dict[str, Any]:
    return {"type": "date-perturbation", "frequency": frequency, "min": low, "max": high, "seed": seed}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(("frequency", "seed"), MOVED)
def test_seeded_moves_are_capes(frequency: str, seed: int, unit: str, transform: Transform) -> None:
    result = transform(_perturbation(frequency, -10, 10, seed), _moments(*MOMENTS, unit=unit))
    assert result.equals(_moments(*MOVED[frequency, seed], unit=unit))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("year", "YEAR"),
        ("Month", "MONTH"),
        ("days", "DAY"),
        ("hour", "HOUR"),
        ("minute", "minutes"),
        ("SECOND", "seconds"),
    ],
)
def test_frequencies_may_be_written_in_any_case_singular_or_plural(
    written: str, meant: str, transform: Transform
) -> None:
    result = transform(_perturbation(written, -10, 10, 42), _moments(*MOMENTS))
    assert result.equals(_moments(*MOVED[meant, 42]))


def test_several_frequencies_move_one_after_the_other(transform: Transform) -> None:
    spec = _perturbation(["YEAR", "MONTH", "DAY"], [-10, -5, -5], [10, 5, 5], 1234)
    result = transform(spec, _moments(*MOMENTS), row_count=3)
    assert result.equals(_moments("2027-08-10 10:11:12", "2028-10-26 00:00:00", "2009-04-23 23:59:59"))
    spec = _perturbation(["DAY", "YEAR"], [-10, -5], [10, 5], 1234)
    assert transform(spec, _moments("2018-10-15"), row_count=1).equals(_moments("2022-10-23"))


def test_dates_move_by_whole_days(transform: Transform) -> None:
    spec = _perturbation("MONTH", -10, 10, 1234)
    for kind in (pa.date32(), pa.date64()):
        assert transform(spec, pa.array([date(2020, 2, 15), None], kind)).to_pylist() == [date(2020, 11, 11), None]
    assert transform(_perturbation("HOUR", 5, 6), pa.array([date(2020, 2, 15)])).to_pylist() == [date(2020, 2, 15)]
    assert transform(_perturbation("HOUR", -5, -4), pa.array([date(2020, 2, 15)])).to_pylist() == [date(2020, 2, 14)]


def test_a_null_uses_up_its_draw(transform: Transform) -> None:
    result = transform(_perturbation("DAY", -10, 10, 1234), _moments(MOMENTS[0], None, MOMENTS[2]))
    assert result.equals(_moments(MOVED["DAY", 1234][0], None, MOVED["DAY", 1234][2]))


@given(
    sizes=st.lists(st.integers(0, 70_000), min_size=1, max_size=3),
    bounds=st.lists(st.tuples(st.integers(-(2**33), -1), st.integers(0, 2**33)), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_draws_are_numpys_whatever_the_batches(
    sizes: list[int], bounds: list[tuple[int, int]], seed: int, transform: Transform
) -> None:
    rows = sum(sizes)
    generator, expected = np.random.default_rng(seed), np.zeros(rows, np.int64)
    for low, high in bounds:
        expected += generator.integers(low, high, size=rows)
    lows, highs = zip(*bounds, strict=True)
    spec = _perturbation(["second"] * len(bounds), list(lows), list(highs), seed)
    technique = create(spec)
    assert isinstance(technique, Transformation)
    batches = [pa.array(np.zeros(size, "M8[s]")) for size in sizes]
    kernel = _kernel(technique, rows)
    result = np.concatenate([kernel(batch).cast(pa.int64()).to_numpy() for batch in batches])
    assert (result == expected).all()


def _kernel(technique: Transformation, row_count: int | None) -> Callable[[pa.Array], pa.Array]:
    from cape_airflow.keys import KeyRing
    from cape_airflow.transformations import Binding

    return technique.bind(Binding(KeyRing(), row_count=row_count))


@pytest.mark.parametrize(
    ("frequency", "seed", "needed"),
    [("DAY", 1, False), (["DAY"], 1, False), (["DAY", "YEAR"], None, False), (["DAY", "YEAR"], 1, True)],
)
def test_only_several_seeded_frequencies_need_the_row_count(frequency: Any, seed: int | None, needed: bool) -> None:
    ends = [1] * (2 if len(frequency) == 2 else 1)
    technique = create(_perturbation(frequency, [0 for _ in ends], ends, seed))
    assert isinstance(technique, Transformation)
    assert technique.needs_row_count is needed
    if needed:
        with pytest.raises(DatasetError, match="needs the number of rows"):
            _kernel(technique, None)
    else:
        _kernel(technique, None)


def test_unseeded_moves_differ_from_run_to_run(transform: Transform) -> None:
    days = pa.array([date(2020, 1, 1)] * 100)
    first, second = (transform(_perturbation(["DAY", "YEAR"], [-9, -9], [9, 9]), days) for _ in range(2))
    assert not first.equals(second)


def test_moves_out_of_the_range_of_the_type_are_refused(transform: Transform) -> None:
    late = _moments("2261-12-31", "2000-01-01", None)
    with pytest.raises(ValueRefused, match=r"1 value refused: moved out of the range of timestamp\[ns\]"):
        transform(_perturbation("YEAR", 5, 6), late)
    with pytest.raises(SchemaMismatch, match="cannot hold moves of that many units"):
        transform(_perturbation("YEAR", 0, 300), late)
    assert transform(_perturbation("YEAR", 299, 300), late.cast(pa.timestamp("s"))).null_count == 1


@pytest.mark.parametrize("unit", ["ns", "us"])
@pytest.mark.parametrize("moment", TRUNCATED)
def test_truncation_is_capes(moment: str, unit: str, transform: Transform) -> None:
    array = pa.array([np.datetime64(moment, "ns").astype(f"M8[{unit}]"), None], pa.timestamp(unit))
    for frequency, expected in TRUNCATED[moment].items():
        for written in (frequency, frequency.upper()):
            result = transform({"type": "date-truncation", "frequency": written}, array)
            assert result.equals(_moments(expected, None, unit=unit))


def test_truncation_of_a_zone_is_in_utc_and_loses_the_zone(transform: Transform) -> None:
    paris = _moments("2018-10-02 23:00:00", zone="Europe/Paris")  # 01:00 on the third, in Paris
    result = transform({"type": "date-truncation", "frequency": "day"}, paris)
    assert result.equals(_moments("2018-10-02"))


def test_truncation_of_a_date_gives_a_date(transform: Transform) -> None:
    array = pa.array([date(2018, 10, 3), date(1969, 12, 31), None])
    results = {
        frequency: transform({"type": "date-truncation", "frequency": frequency}, array).to_pylist()
        for frequency in ("year", "month", "day", "hour")
    }
    assert results["year"] == [date(2018, 1, 1), date(1969, 1, 1), None]
    assert results["month"] == [date(2018, 10, 1), date(1969, 12, 1), None]
    assert results["day"] == results["hour"] == array.to_pylist()


@given(
    moments=st.lists(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), min_size=1),
    frequency=st.sampled_from("YMDhms"),
)
def test_truncation_is_numpys_cast(moments: list[datetime], frequency: str, transform: Transform) -> None:
    name = dict(zip("YMDhms", ("year", "month", "day", "hour", "minute", "second"), strict=True))[frequency]
    array = pa.array(moments, pa.timestamp("ns"))
    expected = pd.Series(moments).to_numpy("M8[ns]").astype(f"M8[{frequency}]").astype("M8[ns]")
    assert (transform({"type": "date-truncation", "frequency": name}, array).to_numpy() == expected).all()
