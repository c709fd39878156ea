"""Users, tokens, projects, contributors, keys, jobs and the audit log, against a real coordinator."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime

import pytest

from cape_airflow.errors import CoordinatorUnavailable
from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart, JobState, Outbox, Progress

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_project_is_made_listed_shown_and_changed(team):
    assert team.project in team.author.ok("projects", "list")
    team.officer.ok("projects", "update", team.project, "--name", "Renamed")
    assert "Renamed" in team.author.ok("projects", "get", team.project)
    assert [each["label"] for each in team.author.json("projects", "list")] == [team.project]
    assert team.officer("projects", "update", team.project).exit_code == 2


def test_contributors_come_and_go_in_either_order_of_arguments(team):
    email = f"new.{team.project}@example.org"
    team.admin.ok("users", "create", email, "--name", "New")
    team.officer.ok("contributors", "add", email, team.project, "project-reader")
    assert email in team.author.ok("projects", "contributors", "list", team.project)
    team.officer.ok("contributors", "remove", team.project, email)
    assert email not in team.author.ok("contributors", "list", team.project)
    assert email in team.admin.ok("users", "list")


def test_a_user_is_made_with_his_name_asked_for(team):
    team.admin.ok("users", "create", f"asked.{team.project}@example.org", input="Asked For\n")
    assert "Asked For" in team.admin.ok("users", "list")


def test_a_token_is_printed_once_and_can_be_revoked(team, log_in):
    made = team.author("tokens", "create", "--description", "mine", "--days", "1")
    token = made.stdout.strip()
    assert token not in made.stderr
    person = log_in(token)
    assert token not in team.author.ok("tokens", "list")
    person.ok("tokens", "remove", token.split(",")[0])
    assert "401" in person.fails("projects", "list")


def test_project_keys_are_made_listed_and_rotated_and_never_shown(team):
    team.officer.ok("keys", "create", team.project, "customer", "--bytes", "64")
    assert "version 2" in team.officer.ok("keys", "rotate", team.project, "customer")
    (key,) = team.author.json("keys", "list", team.project)
    assert (key["name"], key["primary"], [each["version"] for each in key["versions"]]) == ("customer", 2, [1, 2])


def test_versions_of_a_key_are_retired_and_destroyed_with_a_receipt(team):
    team.officer.ok("keys", "create", team.project, "customer", "--rotate-after", "10")
    assert "due on" in team.author.ok("keys", "list", team.project)
    team.officer.ok("keys", "rotate", team.project, "customer")
    team.officer.ok("keys", "retire", team.project, "customer", "1")
    assert "1 retired" in team.author.ok("keys", "list", team.project)
    assert "not-confirmed" in team.officer.fails("keys", "destroy", team.project, "customer", "1", input="yes\n")
    destroyed = team.officer.ok("keys", "destroy", team.project, "customer", "1", input="customer\n")
    assert re.search("receipt  +[0-9a-f]{64}", destroyed)
    assert "1 destroyed" in team.author.ok("keys", "list", team.project)
    assert "no period" in team.officer.ok("keys", "rotate-after", team.project, "customer", "0")


def test_a_user_gets_another_role_and_is_shut_out_and_let_in(team):
    email = f"new.{team.project}@example.org"
    team.admin.ok("users", "create", email, "--name", "New")
    assert "is auditor" in team.admin.ok("users", "role", email, "auditor")
    team.admin.ok("users", "deactivate", email)

    def known():
        return next(each for each in team.admin.json("users", "list") if each["email"] == email)

    assert known()["role"] == "auditor"
    assert known()["deactivated_at"]
    assert "deactivated" in team.admin.fails("tokens", "create", "--user", email)
    team.admin.ok("users", "activate", email)
    assert known()["deactivated_at"] is None
    assert "forbidden" in team.author.fails("users", "deactivate", email)


def test_an_owner_makes_a_service_account_and_its_token(team):
    email = f"nightly.{team.project}@example.org"
    made = team.officer.ok("projects", "workers", "create", team.project, email, "--name", "Nightly")
    assert email in made
    token = team.officer.ok("projects", "workers", "token", team.project, email, "--days", "7").strip().splitlines()[-1]
    assert len(token.partition(",")[2]) == 34
    people = {each["email"]: each["role"] for each in team.author.json("contributors", "list", team.project)}
    assert people[email] == "worker"
    assert "forbidden" in team.author.fails("projects", "workers", "token", team.project, email)


def test_a_worker_is_let_reveal_and_no_longer(team):
    email = f"new.{team.project}@example.org"
    team.admin.ok("users", "create", email, "--name", "New")
    team.officer.ok("contributors", "add", email, team.project, "worker")
    for verb, may_reveal in (("grant-reveal", True), ("withdraw-reveal", False)):
        team.officer.ok("keys", verb, team.project, email)
        people = team.author.json("contributors", "list", team.project)
        assert [each["may_reveal"] for each in people if each["email"] == email] == [may_reveal]


def test_a_key_file_gets_keys_and_versions(somebody, tmp_path):
    path = tmp_path / "keys.json"
    printed = somebody.ok("keys", "new", path, "customer") + somebody.ok("keys", "new", path, "customer", "--rotate")
    assert "version 2" in printed
    assert not any(material in printed for material in re.findall("[A-Za-z0-9_-]{43}", path.read_text()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "rotate it" in somebody.fails("keys", "new", path, "customer")


@pytest.fixture
def job(team, service, worker_token, policy_file, tmp_path):
    """A job whose reports wait in the outbox of an Airflow, with its worker logged in nowhere."""
    suggestion = team.author.json("suggestions", "create", team.project, policy_file, "--title", "First")
    team.officer.ok("suggestions", "approve", team.project, suggestion["id"], "--yes")
    start = JobStart(
        job_id=f"{int(team.project[1:]):032x}",
        policy_digest=suggestion["digest"],
        engine="local",
        kernels="python",
        source="in.csv",
        target="out.parquet",
        started_at=NOW,
    )
    counts = ColumnCounts(name="email", techniques=("keyed-hash",), decision="transformed", values=2, nulls=1)
    finish = JobFinish(
        state=JobState.SUCCEEDED, progress=Progress(rows_in=3, rows_out=3), columns=(counts,), finished_at=NOW
    )

    class Down:
        base_url = service[0]
        token_id = worker_token.partition(",")[0]

        def start_job(self, *_: object) -> None:
            raise CoordinatorUnavailable("HTTP status 503 (try 3)")

        finish_job = start_job

    # Where a task of this machine's Airflow keeps them.
    outbox = Outbox(tmp_path / "airflow" / "cape" / "outbox", Down())
    outbox.start_job(team.project, start)
    outbox.finish_job(team.project, start.job_id, finish)
    return start.job_id


@pytest.fixture
def worker_token(team):
    """The token of the project's worker."""
    email = f"worker.{team.project}@example.org"
    team.admin.ok("users", "create", email, "--name", "Worker")
    team.officer.ok("contributors", "add", team.project, email, "worker")
    return team.admin.ok("tokens", "create", "--user", email).strip()


def test_reports_that_tasks_kept_are_found_delivered_and_shown(team, job, log_in, worker_token, service):
    worker = log_in(worker_token)
    waiting = worker("doctor")
    whom = f"{service[0]} with token {worker_token.partition(',')[0]}"
    assert (waiting.exit_code, f"2 reports wait (2 for {whom})" in waiting.stdout) == (1, True)
    assert worker.ok("jobs", "flush") == "2 delivered, 0 refused, 0 waiting\n"
    assert worker.ok("jobs", "flush") == "0 delivered, 0 refused, 0 waiting\n"
    assert job in team.author.ok("jobs", "list", team.project)
    shown = team.author.ok("jobs", "get", team.project, job)
    assert "3 rows read, 3 written" in shown
    assert "email   transformed  keyed-hash  2       1" in shown
    assert team.author.json("jobs", "get", team.project, job)["columns"][0]["values"] == 2


def test_reports_of_another_token_are_told_and_only_delivered_on_demand(team, job, log_in, worker_token):
    token_id = worker_token.partition(",")[0]
    printed = team.author.ok("jobs", "flush")
    assert "0 delivered, 0 refused, 0 waiting\n2 more waiting for http://127.0.0.1" in printed
    assert f"with token {token_id}\n" in printed
    assert "403" in team.author.fails("jobs", "flush", "--token-id", token_id)
    successor = log_in(team.admin.ok("tokens", "create", "--user", f"worker.{team.project}@example.org").strip())
    assert "2 delivered, 0 refused, 0 waiting" in successor.ok("jobs", "flush", "--token-id", token_id)


def test_reports_for_another_name_of_the_same_coordinator_are_told(job, log_in, worker_token, service):
    url = service[0].replace("127.0.0.1", "localhost")
    printed = log_in(worker_token)("jobs", "flush", CAPE_URL=url, CAPE_TOKEN=worker_token).stdout
    assert f"2 more waiting for {service[0]} with token" in printed


def test_the_audit_log_is_for_admins(team):
    assert team.project in team.admin.ok("audit", "view", "--limit", "20")
    assert len(team.admin.json("audit", "view", "--limit", "3")) == 3
    assert "403" in team.author.fails("audit", "view")
