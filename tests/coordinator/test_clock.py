from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from cape_airflow.coordinator.clock import rfc3339, system_clock


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert system_clock().utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - system_clock()) < timedelta(minutes=1)


def test_moments_are_written_in_utc_with_all_their_digits() -> None:
    moment = datetime(2026, 11, 21, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2026-11-20T23:30:00.000000Z"
