from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.throttle import Throttle

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_an_address_over_the_limit_waits_until_the_minute_is_over() -> None:
    throttle = Throttle(3)
    assert [throttle.fail("a", after(second)) for second in (0, 10, 20, 30)] == [0, 0, 0, 30]
    assert throttle.fail("a", after(61)) == 9
    assert throttle.fail("a", after(200)) == 0


def test_addresses_are_counted_apart() -> None:
    throttle = Throttle(1)
    assert [throttle.fail(address, NOON) for address in ("a", "b", "a")] == [0, 0, 60]


def test_a_flood_of_addresses_does_not_fill_the_memory() -> None:
    throttle = Throttle(1)
    for number in range(10_100):
        throttle.fail(str(number), NOON)
    assert len(throttle._failures) == 10_000
    assert throttle.fail("0", NOON) == 0
    assert throttle.fail("10099", NOON) > 0


@given(st.lists(st.integers(0, 120), min_size=1, max_size=60), st.integers(1, 10))
def test_normal_answers_in_any_minute_never_exceed_the_limit(gaps: list[int], limit: int) -> None:
    throttle, second, normal = Throttle(limit), 0, []
    for gap in gaps:
        second += gap
        if throttle.fail("a", after(second)) == 0:
            normal.append(second)
    for start in normal:
        assert sum(start <= moment < start + 60 for moment in normal) <= limit
