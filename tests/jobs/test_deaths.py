from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cape_airflow.jobs import JobState, Progress
from cape_airflow.jobs.deaths import is_presumed, presumed_failure

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_job_whose_task_died_failed_as_far_as_it_had_told() -> None:
    finish = presumed_failure(Progress(rows_in=7), NOW)
    assert (finish.state, finish.progress.rows_in, finish.columns) == (JobState.FAILED, 7, ())
    assert is_presumed(finish.error)


@pytest.mark.parametrize("error", [None, "", "ValueRefused: 3 rows", "SomeTaskDied: no"])
def test_what_a_task_says_itself_is_not_presumed(error: str | None) -> None:
    assert not is_presumed(error)
