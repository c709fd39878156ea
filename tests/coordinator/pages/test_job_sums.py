from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cape_airflow.coordinator.api.jobs import JobAnswer
from cape_airflow.coordinator.pages.job_sums import ColumnSum, JobSums
from cape_airflow.coordinator.pages.job_view import JobView
from cape_airflow.jobs import ColumnCounts, JobState, Progress

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def view(state: JobState = JobState.SUCCEEDED, *columns: ColumnCounts, **progress: Any) -> JobView:
    job = JobAnswer(
        project="customers",
        job_id="0a" * 16,
        state=state,
        attempts=1,
        policy_digest="0b" * 32,
        engine="local",
        kernels="python",
        source="s",
        target="t",
        started_at=NOW,
        origin={},
        heartbeat_at=NOW,
        progress=Progress(**progress),
        columns=list(columns),
    )
    return JobView(job, NOW)


def test_no_jobs_have_neither_speed_nor_coverage() -> None:
    sums = JobSums([])
    assert (sums.rows_in, sums.rows_out, sums.rows_per_second, sums.coverage, sums.columns) == (0, 0, None, None, [])


def test_only_jobs_that_run_count_for_the_speed_of_now() -> None:
    running = [view(JobState.RUNNING, rows_in=rows, rows_out=1, seconds=2) for rows in (10, 30)]
    sums = JobSums([*running, view(rows_in=1000, rows_out=999, seconds=1)])
    assert sums.rows_per_second == 20
    assert (sums.rows_in, sums.rows_out) == (1040, 1001)
    assert sums.states == {"running": 2, "succeeded": 1}


def test_a_column_is_summed_over_the_jobs_that_did_the_same_to_it() -> None:
    hashed = ColumnCounts(name="email", techniques=("keyed-hash",), decision="transformed", values=5, nulls=1)
    dropped = ColumnCounts(name="email", techniques=("suppress-attribute",), decision="dropped", values=7)
    kept = ColumnCounts(name="country", decision="kept", values=6)
    done = JobState.SUCCEEDED
    sums = JobSums([view(done, hashed, kept), view(done, hashed), view(done, dropped)])
    assert sums.columns == [
        ColumnSum("country", "kept", (), 1, 6, 0),
        ColumnSum("email", "dropped", ("suppress-attribute",), 1, 7, 0),
        ColumnSum("email", "transformed", ("keyed-hash",), 2, 10, 2),
    ]
    assert sums.coverage == 0.75
