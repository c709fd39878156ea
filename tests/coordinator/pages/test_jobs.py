"""The list of jobs, and a job: what is shown to whom, and that nothing that was reported runs in a browser."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

POLICY = """\
label: customers
version: 2
default: keep
rules:
  - match: {name: email}
    actions: [drop]
  - match: {pattern: "*_name"}
    actions: [{transform: {type: character-mask, keep_last: 1}}]
  - where: "age < 18"
    actions: [suppress-record]
"""
HOSTILE = "<script>alert(1)</script>"
COLUMNS = [
    {"name": "email", "techniques": ["suppress-attribute"], "decision": "dropped", "values": 90},
    {"name": "first_name", "techniques": ["character-mask"], "decision": "transformed", "values": 1234, "nulls": 6},
    {"name": "age", "techniques": [], "decision": "kept", "values": 90},
]


@pytest.fixture(scope="module")
def project(shared_project: Any) -> Any:
    return shared_project


def report(project: Any, job_id: str | None = None, *, finish: dict[str, Any] | None = None, **start: Any) -> str:
    """Report a job that runs, or has finished; return its id."""
    job_id = job_id or secrets.token_hex(16)
    digest = project.approved(POLICY)["digest"]
    deployment = project.deployment
    deployment.done("PUT", f"{project.path}/jobs/{job_id}", project.worker, project.job(digest, job_id, **start))
    if finish is not None:
        progress = {"rows_in": 1500, "rows_out": 1240, "bytes_in": 5 << 20, "bytes_out": 3 << 20, "seconds": 75.0}
        body = {"state": "succeeded", "progress": progress, "columns": COLUMNS, "finished_at": "2026-11-21T12:01:15Z"}
        deployment.done("POST", f"{project.path}/jobs/{job_id}/finish", project.worker, body | finish)
    return job_id


def page(project: Any, path: str, token: str | None = None) -> str:
    answer = project.deployment.ask("GET", path, token or project.reader)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_a_job_says_which_line_of_the_policy_touched_which_column(project: Any) -> None:
    text = page(project, f"/projects/customers/jobs/{report(project, finish={})}")
    rows = [row for row in text.split("<tr>") if "<code>" in row]
    by_column = {name: next(row for row in rows if f"<code>{name}</code>" in row) for name in ("email", "first_name")}
    assert 'href="#line-6"' in by_column["email"]
    assert "suppress-attribute" in by_column["email"]
    assert 'href="#line-8"' in by_column["first_name"]
    assert "1,234" in by_column["first_name"]
    assert "default: keep" in next(row for row in rows if "<code>age</code>" in row)
    assert "age &lt; 18" in text


def test_who_reads_the_policy_on_the_page_of_a_job_is_written_down_and_a_job_that_runs_shows_none(project: Any) -> None:
    newest = "SELECT event, user_email, project, target_type, target_label FROM audit ORDER BY seq DESC LIMIT 1"
    finished, running = report(project, finish={}), report(project)
    assert "actions: [drop]" in page(project, f"/projects/customers/jobs/{finished}")
    row = ("read-policy", "customers-reader@example.com", "customers", "policy", f"job {finished}")
    assert project.deployment.rows(newest) == [row]
    before = project.deployment.rows("SELECT count(*) FROM audit")
    assert "actions: [drop]" not in page(project, f"/projects/customers/jobs/{running}")
    assert project.deployment.rows("SELECT count(*) FROM audit") == before


def test_a_job_says_how_long_how_fast_and_how_much(project: Any) -> None:
    text = page(project, f"/projects/customers/jobs/{report(project, finish={})}")
    for said in ("1,500", "1,240", "1 min 15 s", "20 rows/s", "5.0 MB", "3.0 MB"):
        assert said in text, said


def test_a_job_of_airflow_links_to_its_task(project: Any) -> None:
    origin = {"deployment": "https://air.example.com/x/", "dag_id": "pay roll", "run_id": "a/b", "task_id": "mask"}
    text = page(project, f"/projects/customers/jobs/{report(project, origin=origin)}")
    assert 'href="https://air.example.com/x/dags/pay%20roll/runs/a%2Fb/tasks/mask"' in text


@pytest.mark.parametrize("address", ["javascript:alert(1)//", "https://user:pw@air.example.com", "https://[", ""])
def test_an_origin_that_is_no_address_becomes_no_link(address: str, project: Any) -> None:
    origin = {"deployment": address, "dag_id": "d", "run_id": "r", "task_id": "t"}
    assert "The task in Airflow" not in page(project, f"/projects/customers/jobs/{report(project, origin=origin)}")


def test_a_failed_job_says_why_and_shows_its_spark_application(project: Any) -> None:
    progress = {"rows_in": 1, "application_id": "application_1_7"}
    finish = {"state": "failed", "error": "ValueRefused: 3 rows", "columns": [], "progress": progress}
    text = page(project, f"/projects/customers/jobs/{report(project, finish=finish)}")
    assert "ValueRefused: 3 rows" in text
    assert "application_1_7" in text


def test_what_a_worker_reports_never_becomes_markup(project: Any) -> None:
    column = {"name": HOSTILE, "techniques": [HOSTILE], "decision": HOSTILE}
    job_id = report(
        project,
        finish={"state": "failed", "error": HOSTILE, "warnings": [HOSTILE], "columns": [column]},
        source=HOSTILE,
        target=HOSTILE,
        engine=HOSTILE,
        kernels=HOSTILE,
        origin={"dag_id": HOSTILE, "task_id": HOSTILE, HOSTILE: HOSTILE},
    )
    for path in (f"/projects/customers/jobs/{job_id}", "/jobs", "/"):
        assert HOSTILE not in page(project, path)


def test_jobs_that_run_are_loaded_again_and_finished_ones_are_not(project: Any) -> None:
    job_id = report(project)
    own = f"/projects/customers/jobs/{job_id}"
    for path in ("/jobs?state=running", own):
        assert "hx-trigger" in page(project, path)
    progress = {"rows_in": 40, "rows_total": 160, "seconds": 4}
    project.deployment.done("POST", f"{project.path}/jobs/{job_id}/heartbeat", project.worker, progress)
    text = page(project, "/jobs?state=running")
    assert '<progress max="160" value="40"' in text
    assert "25 %" in text
    report(project, job_id, finish={})
    for path in ("/jobs?state=succeeded", own):
        assert "hx-trigger" not in page(project, path)


def test_a_job_that_says_nothing_for_five_minutes_is_silent(project: Any) -> None:
    path = f"/projects/customers/jobs/{report(project)}"
    assert "silent" not in page(project, path)
    project.deployment.clock.turn(minutes=6)
    assert "silent" in page(project, "/jobs")
    assert "Nothing was heard of it" in page(project, path)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {1, 2}),
        ("project=customers", {1, 2}),
        ("project=other", set()),
        ("state=running", {1}),
        ("state=succeeded&project=", {2}),
        ("digest=0000", set()),
        ("since=2026-01-01", {1, 2}),
        ("until=2026-01-01", set()),
    ],
)
def test_jobs_are_found_by_project_state_digest_and_day(asked: str, found: set[int], project: Any) -> None:
    ids = {1: report(project), 2: report(project, finish={})}
    text = page(project, f"/jobs?{asked}")
    assert {number for number, job_id in ids.items() if f"/jobs/{job_id}" in text} == found


def test_jobs_come_in_pages_that_keep_the_filter(project: Any) -> None:
    ids = [report(project, finish={}) for _ in range(3)]
    text = page(project, "/jobs?limit=2&state=succeeded")
    assert ids[2] in text
    assert ids[0] not in text
    [more] = [part.split('"')[0] for part in text.split('href="')[1:] if part.startswith("?")]
    assert more.startswith("?state=succeeded&amp;after=")
    assert ids[0] in page(project, "/jobs" + more.replace("&amp;", "&"))


def test_jobs_of_other_projects_are_not_there(project: Any) -> None:
    other = project.deployment.project("other")
    job_id = report(other)
    assert job_id not in page(project, "/jobs")
    assert job_id in page(project, "/jobs", other.reader)
    auditor = project.deployment.user("auditor", role="auditor")
    assert job_id in page(project, "/jobs", auditor)
    assert project.deployment.ask("GET", f"/projects/other/jobs/{job_id}", project.reader).status_code == 404
    assert job_id not in page(project, "/jobs", project.deployment.user("second-admin", role="admin"))
