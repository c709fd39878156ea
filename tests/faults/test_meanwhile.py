"""What changes while a task runs, and attempts that do not know of each other: rows of docs/faults.md."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cape_airflow.client import trust
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.jobs.outbox import waiting
from tests.airflow.coordinator import POLICY, People
from tests.faults.conftest import BEFORE, Work, before_commit

pytestmark = pytest.mark.usefixtures("connected")


def test_a_policy_that_is_revoked_while_it_runs_shows_nothing(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    people, project = work.people, work.project
    suggestion = people.suggest(project, POLICY.replace("XX", "YY"))
    people.officer.break_glass(project, suggestion.id, suggestion.digest, "the night of the outage")
    people.officer.set_contributor(project, "admin@example.com", "project-owner")

    def objected() -> None:
        people.admin.after_review(project, suggestion.id, suggestion.digest, "object", "it shows too much")

    operator = before_commit(work.operator(), objected, monkeypatch)
    work.fails(for_good=True, operator=operator)
    assert work.job().state == "failed"
    assert work.run(try_number=2)["policy_digest"] == work.digest  # the one before it counts again


def test_an_approval_that_runs_out_while_it_runs_shows_nothing(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.people.officer.set_review_rule(work.project, {"project-owner": 1}, valid_days=1)
    work.people.approve(work.project, POLICY.replace("XX", "YY"))

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=2)

    operator = before_commit(work.operator(), lambda: monkeypatch.setattr(trust, "datetime", Later), monkeypatch)
    assert "its approval ran out on" in work.fails(for_good=True, operator=operator)


@pytest.mark.parametrize("state", ["retired", "destroyed"])
def test_a_key_that_is_withdrawn_while_it_runs_makes_nothing_new(
    work: Work, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    def withdrawn() -> None:
        owner = work.people.officer
        owner.rotate_key(work.project, "customer-id")
        owner.retire_key(work.project, "customer-id", 1)
        if state == "destroyed":
            owner.destroy_key(work.project, "customer-id", 1, confirm="customer-id")

    operator = before_commit(work.operator(), withdrawn, monkeypatch)
    shown = work.fails(for_good=True, operator=operator)
    assert f"version 1 of key `customer-id` was {state} while this ran" in shown
    assert work.run(try_number=2)["rows_out"] == 2  # under version 2


def test_a_key_that_is_rotated_while_it_runs_changes_nothing(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate = lambda: work.people.officer.rotate_key(work.project, "customer-id")  # noqa: E731 - an event in one line
    assert before_commit(work.operator(), rotate, monkeypatch).execute(work.context())["rows_out"] == 2


def test_a_worker_that_is_removed_while_it_runs_shows_nothing(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def removed() -> None:
        work.people.officer.remove_contributor(work.project, "worker@example.com")

    work.fails(for_good=True, operator=before_commit(work.operator(), removed, monkeypatch))


def test_of_two_attempts_at_once_the_later_one_writes_and_the_earlier_one_says_so(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_written = threading.Barrier(2, timeout=60)
    outcomes: dict[int, Any] = {}

    def attempt(number: int) -> None:
        operator = before_commit(work.operator(), both_have_written.wait, monkeypatch)
        try:
            outcomes[number] = operator.execute(work.context(number))
        except AirflowException as error:
            outcomes[number] = error

    first, second = (threading.Thread(target=attempt, args=(number,)) for number in (1, 2))
    first.start()
    _wait_for(lambda: work.job() is not None)
    second.start()
    first.join()
    second.join()
    assert isinstance(outcomes[1], AirflowFailException)
    assert "another attempt of job" in str(outcomes[1])
    assert outcomes[2]["rows_out"] == 2
    job = work.job()
    assert (job.state, job.attempts, job.origin["try_number"]) == ("succeeded", 2, "2")
    written = work.target.read_bytes()
    assert {path.name for path in work.target.parent.iterdir()} == {work.target.name}
    work.run(try_number=3)
    assert work.target.read_bytes() == written


def test_a_ghost_brings_back_no_older_policy(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def retried_under_a_newer_policy() -> None:
        work.people.approve(work.project, POLICY.replace("XX", "DE"))
        work.run(try_number=2)

    operator = before_commit(work.operator(), retried_under_a_newer_policy, monkeypatch)
    with pytest.raises(AirflowFailException, match="Superseded"):
        operator.execute(work.context())
    assert pq.read_table(work.target).column("country").to_pylist() == ["NL", "XX"]


def test_a_ghost_that_fails_does_not_fail_the_job_of_its_retry(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = work.operator()

    def retried_and_told_to_stop() -> None:
        work.run(try_number=2)
        operator.on_kill()

    with pytest.raises(AirflowException, match="told to stop"):
        before_commit(operator, retried_and_told_to_stop, monkeypatch).execute(work.context())
    assert (work.job().state, work.job().attempts) == ("succeeded", 2)


def test_a_task_that_is_told_to_stop_shows_nothing_and_says_so(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = work.operator()
    assert "told to stop" in work.fails(for_good=False, operator=before_commit(operator, operator.on_kill, monkeypatch))
    assert work.job().state == "failed"


# Runs a task up to its commit, says so, and waits there for ever.
UNTIL_THE_COMMIT = """
import sys
from types import SimpleNamespace
from cape_airflow.operators.transform import CapeTransformOperator

source, target, project = sys.argv[1:]
operator = CapeTransformOperator(task_id="deidentify", source=source, target=target, project=project)

def wait_for_ever(start):
    print("written", flush=True)
    sys.stdin.read()

operator._before_commit = wait_for_ever
names = {"dag_id": "pay", "run_id": project, "task_id": "deidentify", "map_index": -1, "try_number": 1}
operator.execute({"ti": SimpleNamespace(**names)})
"""


@pytest.mark.integration
def test_a_task_that_is_killed_leaves_the_old_output_and_its_retry_sweeps_up(
    work: Work, people: People, own_outbox: Path
) -> None:
    arguments = [sys.executable, "-c", UNTIL_THE_COMMIT, str(work.source), str(work.target), work.project]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ) as task:
        said = iter(task.stdout or ())
        assert any(line.strip() == "written" for line in said)
        task.send_signal(signal.SIGKILL)
    assert work.target.read_bytes() == BEFORE
    [leftover] = [path for path in work.target.parent.iterdir() if path != work.target]
    assert leftover.name.startswith(f".{work.target.name}.cape-")
    assert work.job().state == "running"  # nobody was left to say more; Airflow's listener or the retry does
    work.run(try_number=2)
    assert {path.name for path in work.target.parent.iterdir()} == {work.target.name}
    assert (work.job().state, work.job().attempts) == ("succeeded", 2)
    assert waiting(own_outbox) == []


def _wait_for(condition: Any) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while not condition():
        assert datetime.now(UTC) < deadline, "it did not happen"
        threading.Event().wait(0.02)
