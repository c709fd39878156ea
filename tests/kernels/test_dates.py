from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels import dates

UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")


def test_a_second_in_the_ticks_of_every_type() -> None:
    assert [dates.ticks(pa.timestamp(unit), 1) for unit in ("s", "ms", "us", "ns")] == [1, 10**3, 10**6, 10**9]
    assert [dates.ticks(pa.date32(), seconds) for seconds in (86_400, 86_399, -1)] == [1, 0, -1]
    assert dates.ticks(pa.date64(), 2 * 86_400) == 2 * 86_400_000


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris", "America/Sao_Paulo", "-11:00"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_near_the_ends_of_the_type_a_floor_is_right_or_refused_and_never_wraps(unit: str, zone: str | None) -> None:
    kind = pa.timestamp(unit, zone)
    for tick in (-(2**63), -(2**63) + 10**9, -(2**62), 2**62, 2**63 - 10**9, 2**63 - 1):
        array = pa.array([tick], pa.int64()).view(kind)
        for name in UNITS:
            try:
                [start] = dates.floor(array, name).cast(pa.int64()).to_pylist()
            except ValueRefused:
                continue
            assert 0 <= tick - start <= dates.ticks(kind, 366 * 86_400)


def test_every_hour_of_the_last_day_of_nanoseconds_is_right_or_refused() -> None:
    last = pa.array([2**63 - 1 - hour * 3600 * 10**9 for hour in range(48)], pa.int64())
    paris = last.view(pa.timestamp("ns", "Europe/Paris"))
    for row in range(48):
        try:
            start = dates.floor(paris[row : row + 1], "day")
        except ValueRefused:
            assert row < 2  # in Paris it is already the day that nanoseconds cannot reach
        else:
            assert start.cast(pa.int64())[0].as_py() % (86_400 * 10**9) == 23 * 3600 * 10**9


def test_starts_before_the_first_moment_are_refused_and_counted() -> None:
    first = pa.array([-(2**63), -(2**63) + 1, 0, None], pa.int64()).view(pa.timestamp("ns"))
    with pytest.raises(ValueRefused, match=r"^2 values refused: no start of the year within timestamp\[ns\]"):
        dates.floor(first, "year")


@pytest.mark.parametrize("name", UNITS)
@given(
    moments=st.lists(st.one_of(st.none(), st.integers(-(2**33), 2**33)), max_size=20),
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    zone=st.sampled_from([None, "UTC"]),
)
def test_a_floor_is_that_of_arrow(name: str, moments: list[int | None], unit: str, zone: str | None) -> None:
    plain = pa.array(moments, pa.int64()).view(pa.timestamp("s")).cast(pa.timestamp(unit))
    expected = pc.floor_temporal(plain, unit=name)
    assert dates.floor(plain.view(pa.timestamp(unit, zone)), name).view(plain.type).equals(expected)


@pytest.mark.parametrize("name", UNITS[:5])
def test_a_floor_of_every_day_of_two_centuries_and_around_is_that_of_arrow(name: str) -> None:
    days = pa.array(np.arange(-26_000, 48_000, dtype=np.int32)).view(pa.date32())
    expected = pc.floor_temporal(days, unit=name)
    assert dates.floor(days, name).equals(expected)
    inside = days.filter(pc.and_(pc.greater_equal(pc.year(days), 1900), pc.less(pc.year(days), 2100)))
    for kind in (pa.date32(), pa.date64()):
        assert dates.floor(inside.cast(kind), name).cast(pa.date32()).equals(pc.floor_temporal(inside, unit=name))
