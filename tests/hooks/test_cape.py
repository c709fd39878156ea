from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.log import redact

from cape_airflow.errors import CoordinatorUnavailable, NotApproved
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.jobs import JobFinish, JobStart, JobState, Progress
from cape_airflow.jobs.outbox import waiting
from tests.airflow.coordinator import Outage, People

JOB = "0123456789abcdef0123456789abcdef"


def _start(digest: str) -> JobStart:
    return JobStart(
        job_id=JOB,
        policy_digest=digest,
        engine="local",
        kernels="python",
        source="in.csv",
        target="out.csv",
        started_at=datetime.now(UTC),
    )


def _finish() -> JobFinish:
    return JobFinish(state=JobState.SUCCEEDED, progress=Progress(rows_in=3, rows_out=2), finished_at=datetime.now(UTC))


@pytest.mark.usefixtures("connected")
def test_the_approved_policy_of_a_project_is_had_by_its_label(people: People, project: str) -> None:
    digest = people.approve(project)
    assert CapeHook().get_policy(project).digest == digest
    assert CapeHook().get_policy(project, digest).policy.label == "customers"


@pytest.mark.usefixtures("connected")
def test_a_project_without_an_approved_policy_gives_none(project: str) -> None:
    with pytest.raises(NotApproved):
        CapeHook().get_policy(project)


@pytest.mark.usefixtures("connected")
def test_the_keys_of_the_project_are_had_by_name(project: str) -> None:
    key = CapeHook().get_keys(project).get("customer-id")
    assert len(key.version(1).reveal()) == 32


@pytest.mark.usefixtures("connected")
def test_a_task_that_can_read_the_root_key_of_the_coordinator_says_so(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__CAPE__HOME", str(tmp_path))
    monkeypatch.delenv("CAPE_ROOT_KEY", raising=False)
    CapeHook().get_keys(project)
    assert "can forge approvals" not in capsys.readouterr().out
    (tmp_path / "root.key").touch()
    CapeHook().get_keys(project)
    assert "can forge approvals" in capsys.readouterr().out


@pytest.mark.usefixtures("connected")
def test_a_job_is_started_followed_and_finished(people: People, project: str) -> None:
    digest = people.approve(project)
    hook = CapeHook()
    hook.start_job(project, _start(digest))
    hook.heartbeat(project, JOB, Progress(rows_in=1))
    assert people.engineer.job(project, JOB).state == "running"
    hook.finish_job(project, JOB, _finish())
    job = people.engineer.job(project, JOB)
    assert job.state == "succeeded"
    assert job.progress
    assert job.progress.rows_out == 2


@pytest.mark.usefixtures("connected")
def test_a_job_under_a_policy_that_is_not_approved_is_refused(project: str) -> None:
    with pytest.raises(NotApproved):
        CapeHook().start_job(project, _start("0" * 64))


def test_a_report_that_cannot_be_delivered_is_kept_and_the_log_says_so(
    outage: Outage, own_outbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outage.begin()
    CapeHook().start_job(outage.project, _start(outage.digest))
    assert len(waiting(own_outbox)) == 1
    said = capsys.readouterr().out
    assert f"job {JOB} could not be delivered; it is kept in {own_outbox}" in said
    assert f"cape jobs flush --outbox {own_outbox}" in said


def test_a_report_that_was_kept_is_delivered_with_the_next_one(outage: Outage, own_outbox: Path) -> None:
    outage.begin()
    CapeHook().start_job(outage.project, _start(outage.digest))
    outage.end()
    CapeHook().finish_job(outage.project, JOB, _finish())
    job = outage.people.engineer.job(outage.project, JOB)
    assert (job.state, job.attempts) == ("succeeded", 1)
    assert waiting(own_outbox) == []


def test_a_report_that_neither_arrives_nor_can_be_kept_fails_with_both_reasons(
    outage: Outage, own_outbox: Path
) -> None:
    own_outbox.parent.mkdir(parents=True, exist_ok=True)
    own_outbox.write_text("not a folder")
    outage.begin()
    with pytest.raises(CoordinatorUnavailable) as failure:
        CapeHook().start_job(outage.project, _start(outage.digest))
    said = str(failure.value)
    assert f"a report of job {JOB} did not arrive (" in said
    assert f"is not kept: cannot write {own_outbox}/" in said


def test_a_report_that_is_required_fails_where_it_cannot_be_delivered(outage: Outage) -> None:
    outage.begin()
    with pytest.raises(CoordinatorUnavailable, match="could not be delivered"):
        CapeHook(require_report=True).start_job(outage.project, _start(outage.digest))


def test_a_heartbeat_is_not_kept_for_later(outage: Outage, own_outbox: Path) -> None:
    outage.begin()
    with pytest.raises(CoordinatorUnavailable):
        CapeHook().heartbeat(outage.project, JOB, Progress(rows_in=1))
    assert waiting(own_outbox) == []


@pytest.mark.usefixtures("connected")
def test_the_connection_can_be_tested() -> None:
    works, message = CapeHook().test_connection()
    assert works, message
    assert "worker@example.com" in message


def test_a_connection_that_does_not_work_says_why_and_shows_no_token(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = people.worker_token[:-4] + "AAAA"
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection() | {"password": wrong}))
    works, message = CapeHook().test_connection()
    assert not works
    assert "401" in message
    assert wrong not in message


@pytest.mark.usefixtures("connected")
def test_an_event_loop_gets_a_client_of_its_own(people: People) -> None:
    async def ask() -> str:
        async with await CapeHook().async_client() as client:
            return (await client.me()).email

    assert asyncio.run(ask()) == "worker@example.com"


@pytest.mark.usefixtures("connected")
def test_the_token_is_masked_in_logs_and_is_in_no_repr(people: People) -> None:
    hook = CapeHook()
    hook.client.me()
    assert people.worker_token not in str(redact(f"Bearer {people.worker_token}"))
    assert people.worker_token not in repr([hook, hook.client, vars(hook)["client"]])


@pytest.mark.usefixtures("connected")
def test_a_job_has_a_url(people: People) -> None:
    assert CapeHook().job_url("pay roll", JOB) == f"{people.url}/v1/projects/pay%20roll/jobs/{JOB}"


def test_a_hook_can_be_named_by_its_connection_type_alone(connected: pytest.MonkeyPatch) -> None:
    assert isinstance(BaseHook.get_connection("cape_default").get_hook(), CapeHook)
