"""Other schedulers, asked for real over HTTP, and what the coordinator says of their work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import poll
from cape_airflow.coordinator.polling import Poller, polling
from cape_airflow.errors import CapeError

APP = "application_1795262400000_{:04}"
CANARY = "canary-4711"


@dataclass
class ResourceManager:
    """Answers as YARN's does, with the applications that it was given."""

    url: str = ""
    apps: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    killed: list[str] = field(default_factory=list)
    asked: int = 0

    def run(self, number: int, **more: Any) -> str:
        app = {"id": APP.format(number), "name": f"job {number}", "user": "ada", "queue": "adhoc", "state": "RUNNING"}
        self.apps[app["id"]] = app | {"applicationType": "SPARK", "startedTime": 1795262400000} | more
        return str(app["id"])

    @property
    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/ws/v1/cluster/apps")
        def apps(states: str, response: Response) -> Any:
            self.asked += 1
            response.status_code = self.status
            return {"apps": {"app": [one for one in self.apps.values() if one["state"] in states.split(",")]}}

        @app.put("/ws/v1/cluster/apps/{id}/state")
        async def kill(id: str, request: Request, response: Response) -> Any:
            response.status_code = 202 if self.status == 200 else self.status
            if self.status == 200:
                self.killed.append(id)
                self.apps[id] |= {"state": (await request.json())["state"]}

        return app


@pytest.fixture
def yarn(serve: Callable[[FastAPI], str]) -> ResourceManager:
    manager = ResourceManager()
    manager.url = serve(manager.app)
    return manager


@pytest.fixture
def deployment(maker: Any, yarn: ResourceManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A coordinator that is told of one scheduler."""
    path = tmp_path / "schedulers.toml"
    path.write_text(
        f'[schedulers.far]\ntype = "yarn"\nurl = "{yarn.url}"\ntoken = {{env = "FAR_TOKEN"}}\n'
        'projects = {"queue:payroll" = "customers", "user:eve" = "secret"}\n'
    )
    monkeypatch.setenv("FAR_TOKEN", CANARY)
    return maker.deployment(schedulers=path)


@pytest.fixture
def poller(deployment: Any) -> Poller:
    poller = Poller.configured(deployment.app.state.coordinator)
    assert poller is not None
    return poller


@pytest.fixture
def ask(deployment: Any) -> Callable[..., Any]:
    def ask(path: str = "jobs", token: str | None = None, **query: str) -> Any:
        return deployment.done("GET", f"/v1/schedulers/{path}".rstrip("/"), token or deployment.admin, params=query)[
            "items"
        ]

    return ask


def names(items: Any) -> list[str]:
    return sorted(item["job"]["id"] for item in items)


def test_it_says_what_runs_with_a_policy_and_what_without_by_user_and_project(
    deployment: Any, project: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    started, reported, free, theirs, other = (yarn.run(number) for number in range(5))
    yarn.apps[free] |= {"queue": "payroll", "user": "bo"}
    yarn.apps[theirs] |= {"user": "eve"}
    yarn.apps[other] |= {"applicationType": "MAPREDUCE"}
    digest = project.approved()["digest"]
    path, body = f"{project.path}/jobs/{'0a' * 16}", project.job(digest, application_id=started)
    deployment.done("PUT", path, project.worker, body)
    deployment.done("POST", f"{path}/heartbeat", project.worker, {"rows_in": 5, "application_id": reported})
    poller.round()

    assert names(ask()) == sorted([started, reported, free, theirs, other])
    assert names(ask(governed="yes")) == sorted([started, reported])
    assert names(ask(governed="no")) == sorted([free, theirs])
    assert names(ask(governed="no", user="bo")) == [free]
    assert names(ask(project="customers")) == sorted([started, reported, free])
    assert names(ask(project="customers", scheduler="far", active="true", governed="no")) == [free]
    assert ask(scheduler="near") == ask(active="false") == []
    (item,) = ask(user="ada", governed="yes", limit="1")
    assert item["runs"] == [{"project": "customers", "job_id": "0a" * 16, "policy_digest": digest}]
    assert (item["governed"], item["project"], item["scheduler"]) == (True, "customers", "far")
    assert next(one["governed"] for one in ask() if one["job"]["id"] == other) is None
    assert ask("summary") == [
        {"user": "bo", "project": "customers", "governed": 0, "ungoverned": 1},
        {"user": "eve", "project": "secret", "governed": 0, "ungoverned": 1},
        {"user": "ada", "project": "customers", "governed": 2, "ungoverned": 0},
    ]


def test_D7_an_application_of_several_projects_shows_each_of_them_to_its_own_people(
    deployment: Any, project: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    shared = yarn.run(1)
    for one, job_id in ((deployment.project("payroll"), "0b" * 16), (project, "0a" * 16)):
        body = one.job(one.approved()["digest"], job_id, application_id=shared)
        deployment.done("PUT", f"{one.path}/jobs/{job_id}", one.worker, body)
    poller.round()
    assert [run["project"] for run in ask()[0]["runs"]] == ["customers", "payroll"]
    assert [run["project"] for run in ask(token=project.reader)[0]["runs"]] == ["customers"]
    assert "0b0b0b0b" not in deployment.ask("GET", "/schedulers", project.reader).text


def test_people_see_the_work_of_their_projects_and_workers_none(
    deployment: Any, project: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    ours, theirs = yarn.run(1, queue="payroll"), yarn.run(2, user="eve")
    yarn.run(3)
    poller.round()
    assert names(ask(token=project.reader)) == [ours]
    assert [line["project"] for line in ask("summary", token=project.reader)] == ["customers"]
    assert ask(token=deployment.user("outsider")) == []
    assert names(ask(project="secret", token=project.reader)) == []
    assert theirs in names(ask())
    assert deployment.ask("GET", "/v1/schedulers/jobs", project.worker).status_code == 403


def test_every_attempt_of_a_job_counts_with_its_own_application(
    deployment: Any, project: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    first, second = yarn.run(1, state="FAILED", finishedTime=1795262500000), yarn.run(2)
    path = f"{project.path}/jobs/{'0a' * 16}"
    digest = project.approved()["digest"]
    for number, application in enumerate((first, second)):
        body = project.job(digest, started_at=f"2026-11-21T12:0{number}:00Z", application_id=application)
        deployment.done("PUT", path, project.worker, body)
        deployment.done("PUT", path, project.worker, body)
    poller.round()
    assert names(ask(governed="yes")) == [first, second]
    job = deployment.done("GET", path, project.reader)
    assert (job["attempts"], job["application_id"]) == (2, second)


def test_an_unreachable_scheduler_shows_as_one_with_the_time_of_its_last_answer(
    deployment: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    running = yarn.run(1)
    poller.round()
    answered = ask("")[0]["succeeded_at"]
    yarn.status = 503
    deployment.clock.turn(hours=1)
    poller.round()
    (far,) = ask("")
    assert (far["name"], far["type"], far["reachable"]) == ("far", "yarn", False)
    assert far["succeeded_at"] == answered < far["polled_at"]
    assert far["trouble"] == f"far is unreachable at {yarn.url}: HTTP 503"
    assert names(ask(active="true")) == [running]
    yarn.status = 200
    deployment.clock.turn(hours=1)
    poller.round()
    assert (ask("")[0]["reachable"], ask("")[0]["trouble"]) == (True, None)
    assert CANARY not in str(deployment.rows("SELECT * FROM schedulers") + deployment.rows("SELECT * FROM audit"))


def test_a_job_that_is_not_listed_any_more_does_not_run(
    deployment: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    yarn.run(1)
    poller.round()
    yarn.apps.clear()
    deployment.clock.turn(minutes=5)
    poller.round()
    (item,) = ask()
    assert (item["active"], item["job"]["state"], item["job"]["word"]) == (False, "unknown", "not listed any more")
    deployment.clock.turn(days=31)
    poller.round()
    assert ask() == []


def test_one_replica_asks_at_a_time_and_another_takes_over_when_its_lease_ends(
    deployment: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    yarn.run(1)
    other = Poller(poller.coordinator, poller.schedulers, owner="other")
    row = other._take("far", other.schedulers["far"])
    assert row is not None
    poller.round()
    assert yarn.asked == 0
    deployment.clock.turn(minutes=11)
    poller.round()
    assert yarn.asked == 2
    assert len(ask()) == 1
    yarn.run(2)
    other._ask(row, other.schedulers["far"])  # too late: what it brings is thrown away
    assert len(ask()) == 1
    asked = yarn.asked
    poller.round()  # not due yet
    assert yarn.asked == asked


def test_a_job_is_cancelled_by_the_replica_that_polls_and_the_audit_log_tells_before_and_after(
    deployment: Any, project: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    running = yarn.run(1)
    poller.round()
    path = f"/v1/schedulers/jobs/{ask()[0]['id']}/cancel"
    assert deployment.ask("POST", path, project.owner).status_code == 403
    for _ in range(2):
        assert deployment.ask("POST", path, deployment.admin).status_code == 202
    assert yarn.killed == []
    yarn.status = 503
    poller.round()
    assert yarn.killed == []
    assert ask()[0]["cancel_asked_at"] is not None
    yarn.status = 200
    poller.round()  # not at once: it was in trouble
    assert yarn.killed == []
    deployment.clock.turn(minutes=5)
    poller.round()
    assert yarn.killed == [running]
    (item,) = ask()
    assert (item["active"], item["job"]["state"], item["cancel_asked_at"]) == (False, "cancelled", None)
    answer = deployment.ask("POST", path, deployment.admin)
    assert (answer.status_code, answer.json()["code"]) == (409, "not-active")
    events = deployment.done("GET", "/v1/audit", deployment.admin, params={"limit": "2"})["items"]
    assert [(one["event"], one["user_email"], one["target_label"]) for one in events] == [
        ("cancel-scheduler-job", None, f"far {running}"),
        ("ask-cancel-scheduler-job", "admin@example.com", f"far {running}"),
    ]


def test_a_scheduler_that_does_not_cancel_is_in_the_audit_log(
    deployment: Any, yarn: ResourceManager, poller: Poller, ask: Any
) -> None:
    yarn.run(1)
    poller.round()
    deployment.done("POST", f"/v1/schedulers/jobs/{ask()[0]['id']}/cancel", deployment.admin)
    yarn.status = 403
    poller.round()
    event = deployment.done("GET", "/v1/audit", deployment.admin, params={"limit": "1"})["items"][0]
    assert event["event"] == "cancel-scheduler-job-refused"
    assert "HTTP 403" in event["target_label"]
    assert ask()[0]["cancel_asked_at"] is None


def test_the_lifespan_asks_in_a_thread_of_its_own(
    deployment: Any, yarn: ResourceManager, poller: Poller, serve: Any, ask: Any
) -> None:
    yarn.run(1)
    with polling(None):
        assert yarn.asked == 0
    with deployment.http:  # a client that runs the lifespan
        deadline = time.monotonic() + 20
        while not ask("") or ask("")[0]["succeeded_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert len(ask()) == 1


def test_polling_without_serving_asks_until_it_is_stopped_and_needs_schedulers(
    deployment: Any, yarn: ResourceManager, maker: Any
) -> None:
    stop = Signal()
    with pytest.raises(CapeError, match="CAPE_SCHEDULERS names no file"):
        poll(maker.settings(), stop)
    thread = Thread(target=poll, args=(deployment.settings, stop))
    thread.start()
    deadline = time.monotonic() + 20
    while not yarn.asked and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(20)
    assert yarn.asked
    assert not thread.is_alive()


def test_a_coordinator_does_not_start_with_schedulers_that_make_no_sense(maker: Any, tmp_path: Path) -> None:
    path = tmp_path / "schedulers.toml"
    path.write_text('[schedulers.far]\ntype = "cron"\nurl = "https://x"\n')
    with pytest.raises(CapeError, match=r"schedulers\.far\.type"):
        create_app(maker.settings(schedulers=path))
