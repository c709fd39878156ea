from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cape_airflow.errors import CoordinatorRefused, DataError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.jobs import JobFinish, JobStart, JobState, Progress
from cape_airflow.operators.reporting import Reporter
from tests.airflow.coordinator import Outage

JOB = "fedcba9876543210fedcba9876543210"
log = logging.getLogger("test_reporting")


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def _start(digest: str = "0" * 64) -> JobStart:
    return JobStart(
        job_id=JOB,
        policy_digest=digest,
        engine="local",
        kernels="python",
        source="in.csv",
        target="out.csv",
        started_at=datetime.now(UTC),
    )


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, log.name):
        yield caplog


def test_progress_is_logged_every_ten_seconds(logged: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    reporter = Reporter(_start(), log, clock=clock)
    for second in range(1, 31):
        clock.now = 100.0 + second
        reporter.progress(Progress(rows_in=second))
    assert logged.messages == [f"{rows} rows read, 0 written" for rows in (10, 20, 30)]


def test_progress_reaches_the_coordinator_as_a_heartbeat(outage: Outage) -> None:
    clock = Clock()
    reporter = Reporter(_start(outage.digest), log, CapeHook(), outage.project, clock)
    with reporter.told():
        clock.now += 10
        reporter.progress(Progress(rows_in=7))
        job = outage.people.engineer.job(outage.project, JOB)
    assert job.state == "running"
    assert job.progress
    assert job.progress.rows_in == 7


def test_a_heartbeat_that_does_not_arrive_is_said_and_the_run_goes_on(
    outage: Outage, logged: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    reporter = Reporter(_start(outage.digest), log, CapeHook(), outage.project, clock)
    outage.begin()
    clock.now += 10
    reporter.progress(Progress(rows_in=7))
    assert "did not take the heartbeat" in logged.text


def test_a_failure_is_reported_with_what_was_done_so_far_and_passed_on(outage: Outage) -> None:
    reporter = Reporter(_start(outage.digest), log, CapeHook(), outage.project)

    def run() -> None:
        with reporter.told():
            reporter.progress(Progress(rows_in=7))
            raise DataError("3 values of column `age` are no numbers")

    with pytest.raises(DataError):
        run()
    job = outage.people.engineer.job(outage.project, JOB)
    assert (job.state, job.error) == ("failed", "DataError: 3 values of column `age` are no numbers")
    assert job.progress
    assert job.progress.rows_in == 7


def test_of_a_failure_that_is_not_ours_only_the_class_is_reported(outage: Outage) -> None:
    reporter = Reporter(_start(outage.digest), log, CapeHook(), outage.project)

    def run() -> None:
        with reporter.told():
            raise SystemExit("123-45-6789")

    with pytest.raises(SystemExit):
        run()
    assert outage.people.engineer.job(outage.project, JOB).error == "SystemExit"


def test_a_failure_that_cannot_be_reported_does_not_hide_what_failed(
    outage: Outage, logged: pytest.LogCaptureFixture
) -> None:
    reporter = Reporter(_start(outage.digest), log, CapeHook(require_report=True), outage.project)

    def run() -> None:
        with reporter.told():
            outage.begin()
            raise DataError("3 values of column `age` are no numbers")

    with pytest.raises(DataError):
        run()
    assert "That the job failed could not be reported" in logged.text


def _succeeded() -> JobFinish:
    return JobFinish(state=JobState.SUCCEEDED, progress=Progress(rows_in=3, rows_out=2), finished_at=datetime.now(UTC))


def test_where_the_job_is_to_be_seen_is_logged_at_its_start(outage: Outage, logged: pytest.LogCaptureFixture) -> None:
    with Reporter(_start(outage.digest), log, CapeHook(), outage.project).told():
        [message] = [record.getMessage() for record in logged.records if record.name == log.name]
    assert f"{outage.people.url}/v1/projects/{outage.project}/jobs/{JOB}" in message
    assert f"cape jobs get {outage.project} {JOB}" in message


def test_a_success_that_the_coordinator_does_not_take_is_a_warning_since_the_output_is_there(
    outage: Outage, logged: pytest.LogCaptureFixture
) -> None:
    reporter = Reporter(_start(outage.digest), log, CapeHook(), outage.project)
    with reporter.told():
        CapeHook().finish_job(outage.project, JOB, _succeeded())  # by another copy of this task
    reporter.finish(_succeeded())
    assert "That the job succeeded could not be reported: " in logged.text
    assert "job-finished" in logged.text


def test_a_success_that_the_coordinator_does_not_take_fails_where_reports_are_required(outage: Outage) -> None:
    reporter = Reporter(_start(outage.digest), log, CapeHook(require_report=True), outage.project)
    with reporter.told():
        CapeHook().finish_job(outage.project, JOB, _succeeded())
    with pytest.raises(CoordinatorRefused, match="job-finished"):
        reporter.finish(_succeeded())


def test_a_success_that_can_neither_be_delivered_nor_kept_is_a_warning(
    outage: Outage, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Reporter(_start(outage.digest), log, CapeHook(), outage.project)
    monkeypatch.setenv("AIRFLOW__CAPE__OUTBOX", "/proc/no-room-here")
    with reporter.told():
        outage.begin()
    reporter.finish(_succeeded())
    assert "That the job succeeded could not be reported: " in logged.text


def test_the_end_is_logged_where_no_coordinator_hears_of_it(logged: pytest.LogCaptureFixture) -> None:
    Reporter(_start(), log).finish(_succeeded())
    assert logged.messages == [f"Job {JOB} succeeded: 3 rows read, 2 written"]
