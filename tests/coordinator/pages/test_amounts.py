"""Sizes and times as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.pages.amounts import bytes_text, duration_text


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KB"), (1536, "1.5 KB"), (300 << 20, "300 MB"), (7 << 60, "7,168 PB")],
)
def test_bytes_are_said_in_a_unit_that_fits(count: int, said: str) -> None:
    assert bytes_text(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (75.4, "1 min 15 s"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_time_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert duration_text(seconds) == said


@given(st.floats(0, 1e12))
def test_no_unit_is_full(seconds: float) -> None:
    text = duration_text(seconds)
    assert "60" not in (text.split()[0], text.split()[2] if text.count(" ") == 3 and "d" not in text else "")
