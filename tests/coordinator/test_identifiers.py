from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.identifiers import new_id

MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(3000, 1, 1), timezones=st.just(UTC))


@given(MOMENTS)
def test_an_id_has_26_characters_that_nobody_mistakes(now: datetime) -> None:
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", new_id(now))


@given(MOMENTS)
def test_ids_of_one_moment_differ_and_those_of_later_ones_sort_after(now: datetime) -> None:
    ids = {new_id(now) for _ in range(10)}
    assert len(ids) == 10
    assert max(ids) < new_id(now + timedelta(milliseconds=1))
