from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from cape_airflow.jobs import Progress
from cape_airflow.jobs.deaths import presumed_failure

JOB = "0a" * 16
FINISH = {
    "state": "succeeded",
    "progress": {"rows_in": 10, "rows_out": 9, "seconds": 1.5},
    "columns": [
        {"name": "email", "techniques": ["suppress-attribute"], "decision": "dropped", "values": 9, "nulls": 0},
        {"name": "age", "techniques": ["round", "add-noise"], "decision": "transformed", "values": 7, "nulls": 2},
    ],
    "warnings": ["random key"],
    "error": None,
    "finished_at": "2026-11-21T12:00:09Z",
}


@pytest.fixture
def start(project: Any) -> dict[str, Any]:
    started: dict[str, Any] = project.job(project.approved()["digest"], JOB)
    return started


@pytest.fixture
def report(project: Any) -> Any:
    """Report about the job: a path below it, and a body; returns the answer."""

    def send(verb: str, body: Any) -> Any:
        method = "PUT" if verb == "" else "POST"
        return project.deployment.ask(method, f"{project.path}/jobs/{JOB}{verb}", project.worker, body)

    return send


@pytest.fixture
def seen(project: Any) -> Any:
    return lambda: project.deployment.done("GET", f"{project.path}/jobs/{JOB}", project.reader)


def events(project: Any) -> list[str]:
    rows = project.deployment.rows("SELECT event FROM audit WHERE event LIKE '%-job' ORDER BY seq")
    return [row.event for row in rows]


def test_a_job_is_seen_as_it_was_reported(report: Any, start: dict[str, Any], seen: Any) -> None:
    assert report("", start).status_code == 201
    assert report("/heartbeat", {"rows_in": 5}).json()["progress"]["rows_in"] == 5
    assert report("/finish", FINISH).status_code == 200
    job = seen()
    assert {name: job[name] for name in start} == start
    assert (job["state"], job["attempts"]) == ("succeeded", 1)
    for name in ("columns", "warnings", "error", "finished_at"):
        assert job[name] == FINISH[name]
    assert job["progress"]["rows_out"] == 9


def test_the_same_reports_sent_twice_count_once(project: Any, report: Any, start: dict[str, Any], seen: Any) -> None:
    for verb, body in (("", start), ("/finish", FINISH)):
        first, second = report(verb, body), report(verb, body)
        assert second.status_code == 200
        assert first.json() == second.json()
    assert seen()["attempts"] == 1
    assert events(project) == ["start-job", "finish-job"]


def test_a_late_copy_of_the_start_does_not_reopen_the_job(report: Any, start: dict[str, Any], seen: Any) -> None:
    report("", start)
    report("/finish", FINISH)
    assert report("", start).status_code == 200
    assert (seen()["state"], seen()["attempts"]) == ("succeeded", 1)


def test_another_start_of_a_job_is_a_new_attempt_without_the_old_counts(
    report: Any, start: dict[str, Any], seen: Any
) -> None:
    report("", start)
    report("/finish", FINISH | {"state": "failed", "error": "DatasetError: the disk is full"})
    assert seen()["error"]
    assert report("", start | {"started_at": "2026-11-21T12:05:00Z"}).status_code == 200
    job = seen()
    assert (job["state"], job["attempts"], job["columns"], job["error"]) == ("running", 2, [], None)
    assert report("/finish", FINISH).status_code == 200
    assert len(seen()["columns"]) == 2


def test_a_heartbeat_leaves_a_finished_job_alone(report: Any, start: dict[str, Any], seen: Any) -> None:
    report("", start)
    report("/finish", FINISH)
    before = seen()
    assert report("/heartbeat", {"rows_in": 1}).status_code == 200
    assert seen() == before


@pytest.mark.parametrize(
    "change",
    [{"state": "failed"}, {"columns": []}, {"progress": {"rows_in": 11}}, {"finished_at": "2026-11-21T13:00:00Z"}],
    ids=str,
)
def test_a_job_finishes_in_one_way(change: dict[str, Any], report: Any, start: dict[str, Any], seen: Any) -> None:
    report("", start)
    report("/finish", FINISH)
    before = seen()
    refused = report("/finish", FINISH | change)
    assert (refused.status_code, refused.json()["code"]) == (409, "job-finished")
    assert seen() == before


def test_running_is_no_way_to_finish(report: Any, start: dict[str, Any]) -> None:
    report("", start)
    assert report("/finish", FINISH | {"state": "running"}).status_code == 422


def test_a_job_that_was_never_started_has_no_heartbeat_and_no_end(report: Any) -> None:
    assert [report(verb, body).status_code for verb, body in (("/heartbeat", {}), ("/finish", FINISH))] == [404, 404]


def test_a_digest_that_is_not_approved_here_starts_no_job(project: Any, report: Any, policy_text: str) -> None:
    unapproved = project.suggest(policy_text.replace("email", "phone"))["digest"]
    elsewhere = project.deployment.project("other").approved(policy_text.replace("email", "name"))["digest"]
    for digest in (unapproved, elsewhere):
        refused = report("", project.job(digest, JOB))
        assert (refused.status_code, refused.json()["code"]) == (409, "policy-not-approved")
    assert project.deployment.rows("SELECT * FROM jobs") == []


def test_an_older_approved_digest_may_still_be_run(project: Any, report: Any, policy_text: str) -> None:
    old = project.approved()["digest"]
    project.approved(policy_text.replace("email", "phone"))
    assert report("", project.job(old, JOB)).status_code == 201


def test_the_same_id_in_another_project_is_another_job(
    project: Any, report: Any, start: dict[str, Any], seen: Any
) -> None:
    other = project.deployment.project("other")
    report("", start)
    theirs = other.job(other.approved()["digest"], JOB, source="elsewhere")
    project.deployment.done("PUT", f"{other.path}/jobs/{JOB}", other.worker, theirs)
    assert seen()["source"] == start["source"]


@pytest.mark.parametrize("field", ["source", "target"])
@pytest.mark.parametrize(
    "url",
    ["s3://AKIA:hunter2@bucket/x", "zip://x.csv::s3://AKIA:hunter2@b/x.zip", "https://h/x.csv?X-Amz-Signature=hunter2"],
)
def test_a_url_with_credentials_is_refused_and_not_stored(
    url: str, field: str, project: Any, report: Any, start: dict[str, Any]
) -> None:
    refused = report("", start | {field: url})
    assert (refused.status_code, refused.json()["code"]) == (422, "credentials")
    assert "hunter2" not in refused.text
    assert project.deployment.rows("SELECT * FROM jobs") == []


@pytest.mark.parametrize("url", ["zip://in.csv::s3://b/x@2", "https://h:8080/x?design=1", "a:b@c"])
def test_a_url_without_credentials_is_taken(url: str, report: Any, start: dict[str, Any]) -> None:
    assert report("", start | {"source": url}).is_success


def test_the_id_in_the_body_is_the_one_in_the_path(report: Any, start: dict[str, Any]) -> None:
    assert report("", start | {"job_id": "0b" * 16}).status_code == 422


def test_starts_of_one_job_at_the_same_moment_are_one_job(
    project: Any, report: Any, start: dict[str, Any], seen: Any
) -> None:
    with project.deployment.http, ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: report("", start), range(4)))
    assert statuses == [200, 200, 200, 201]
    assert seen()["attempts"] == 1
    assert events(project) == ["start-job"]


def test_jobs_are_listed_newest_first_in_pages(project: Any) -> None:
    digest = project.approved()["digest"]
    ids = [f"{number:032x}" for number in range(5)]
    for job_id in ids:
        path = f"{project.path}/jobs/{job_id}"
        project.deployment.done("PUT", path, project.worker, project.job(digest, job_id))
    found, after = [], ""
    while after is not None:
        path = f"{project.path}/jobs?limit=2" + (f"&after={after}" if after else "")
        page = project.deployment.done("GET", path, project.reader)
        found += [job["job_id"] for job in page["items"]]
        after = page["next"]
    assert found == ids[::-1]


def test_the_word_of_a_task_replaces_that_it_died(report: Any, start: dict[str, Any], seen: Any) -> None:
    died = presumed_failure(Progress(rows_in=5), datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)).model_dump(mode="json")
    report("", start)
    assert report("/finish", died).status_code == 200
    assert (seen()["state"], seen()["progress"]["rows_in"]) == ("failed", 5)
    assert seen()["error"].startswith("TaskDied: ")
    assert report("/finish", FINISH).status_code == 200
    assert (seen()["state"], seen()["error"]) == ("succeeded", None)


def test_that_a_task_died_is_not_believed_of_a_job_that_has_ended(
    report: Any, start: dict[str, Any], seen: Any
) -> None:
    died = presumed_failure(Progress(), datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)).model_dump(mode="json")
    report("", start)
    report("/finish", FINISH)
    assert report("/finish", died).json()["code"] == "job-finished"
    assert seen()["state"] == "succeeded"
