"""What is reported of an output that was read again: about jobs that have written, once, and on their page."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

FINISH = {"state": "succeeded", "progress": {"rows_in": 10, "rows_out": 9}, "finished_at": "2026-11-21T12:00:09Z"}
BROKEN = {
    "check": "values-in-common",
    "column": "email",
    "rule": "rules[0].actions[0]",
    "outcome": "broken",
    "rows": 7,
    "why": "<script>alert(1)</script>",
}


@pytest.fixture(scope="module")
def project(shared_project: Any) -> Any:
    return shared_project


@pytest.fixture(scope="module")
def digest(project: Any) -> str:
    return str(project.approved()["digest"])


@pytest.fixture
def job(project: Any, digest: str) -> str:
    """The path of a job that has succeeded."""
    path = started(project, digest)
    project.deployment.done("POST", f"{path}/finish", project.worker, FINISH)
    return path


def started(project: Any, digest: str) -> str:
    job_id = secrets.token_hex(16)
    path = f"{project.path}/jobs/{job_id}"
    project.deployment.done("PUT", path, project.worker, project.job(digest, job_id))
    return path


def found(digest: str, *verdicts: dict[str, Any]) -> dict[str, Any]:
    made_at = "2026-11-21T12:01:00Z"
    return {"policy_digest": digest, "rows_in": 10, "rows_out": 9, "verdicts": list(verdicts), "made_at": made_at}


def tell(project: Any, path: str, body: dict[str, Any]) -> Any:
    return project.deployment.ask("POST", f"{path}/verdicts", project.worker, body)


def recorded(project: Any, path: str) -> list[str]:
    query = f"SELECT target_label FROM audit WHERE event = 'verify-job' AND target_id = '{path[-32:]}' ORDER BY seq"
    return [row.target_label for row in project.deployment.rows(query)]


def test_the_newest_verification_counts_and_the_same_twice_is_recorded_once(
    project: Any, digest: str, job: str
) -> None:
    for body in (found(digest), found(digest), found(digest, BROKEN)):
        assert tell(project, job, body).status_code == 200
    told = project.deployment.done("GET", job, project.reader)["verification"]
    assert [verdict["rows"] for verdict in told["verdicts"]] == [7]
    assert recorded(project, job) == ["kept", "1 broken"]


def test_a_job_that_has_not_written_and_another_policy_are_refused(project: Any, digest: str, job: str) -> None:
    answer = tell(project, started(project, digest), found(digest))
    assert (answer.status_code, answer.json()["code"]) == (409, "not-succeeded")
    answer = tell(project, job, found("0" * 64))
    assert (answer.status_code, answer.json()["code"]) == (409, "digest-mismatch")


def test_another_attempt_of_the_job_has_not_been_verified(project: Any, digest: str, job: str) -> None:
    tell(project, job, found(digest))
    again = project.job(digest, job[-32:], started_at="2026-11-21T13:00:00Z")
    assert project.deployment.done("PUT", job, project.worker, again)["verification"] is None


def test_the_page_of_a_job_shows_the_verdicts_and_runs_nothing_of_them(project: Any, digest: str, job: str) -> None:
    tell(project, job, found(digest, BROKEN))
    text = project.deployment.ask("GET", job.removeprefix("/v1"), project.reader).text
    assert "0 kept, 1 broken, 0 unchecked" in text
    assert "values-in-common" in text
    assert "<script>alert" not in text
