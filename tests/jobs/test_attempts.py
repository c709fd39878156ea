from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cape_airflow.errors import Superseded
from cape_airflow.jobs import JobStart, refuse_superseded

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def _start(**origin: str) -> JobStart:
    named = dict.fromkeys(("engine", "kernels", "source", "target"), "x")
    return JobStart(job_id="1" * 32, policy_digest="0" * 64, started_at=NOW, origin=origin, **named)


@pytest.mark.parametrize(
    ("origin", "started_at"), [({"try_number": "2"}, NOW), ({"try_number": "2"}, NOW - timedelta(days=1)), ({}, LATER)]
)
def test_a_later_try_or_the_same_try_begun_again_supersedes(origin: dict[str, str], started_at: datetime) -> None:
    ours = {"try_number": "1"} if origin else {}
    with pytest.raises(Superseded, match=f"another attempt of job {'1' * 32} has begun"):
        refuse_superseded(_start(**ours), origin, started_at)


@pytest.mark.parametrize(
    ("origin", "started_at"),
    [({"try_number": "2"}, NOW), ({"try_number": "1"}, LATER), ({"try_number": "10x"}, LATER), ({}, LATER)],
    ids=["itself", "an earlier try, told late", "no number", "no try at all"],
)
def test_itself_and_an_earlier_try_do_not(origin: dict[str, str], started_at: datetime) -> None:
    refuse_superseded(_start(try_number="2"), origin, started_at)


def test_tries_are_numbers_and_not_text() -> None:
    with pytest.raises(Superseded):
        refuse_superseded(_start(try_number="9"), {"try_number": "10"}, NOW)
