"""The provider as Airflow's people see it, in a real Airflow with its own log in and a real Chromium.

``PICTURES=docs/images`` keeps the pictures that the documentation shows; `pngquant` makes them small.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from playwright.sync_api import Browser, FrameLocator, Page, expect

from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.settings import Settings
from cape_airflow.example_dags import cape_customers
from cape_airflow.jobs import JobState
from tests.airflow.conftest import COMPONENTS, wait_for
from tests.airflow.coordinator import POLICY, People
from tests.airflow.test_airflow_users import PASSWORDS, AirflowWithUsers, logged_in
from tests.airflow.test_real_airflow import a_minutes_work
from tests.coordinator.pages.test_browser import axe, chromium  # noqa: F401 - fixtures

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DAG, TASK = "cape_customers", "deidentify"
SIZE = {"width": 1280, "height": 860}
expect.set_options(timeout=30_000)  # the machine runs a whole Airflow beside the browser
DIES_WITHIN = 60.0
"""Seconds from the death of a task to the end of its job."""


class WatchedAirflow(AirflowWithUsers):
    """An Airflow with all its components, whose REST API is Ann's."""

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Call Airflow's REST API as Ann, who is an admin."""
        if "Authorization" not in self._session.headers:
            login = {"username": "ann", "password": PASSWORDS["ann"]}
            token = requests.post(f"{self.url}/auth/token", json=login, timeout=30).json()["access_token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
        return super().rest(method, path, body)


@dataclass
class Story:
    """What has happened in Airflow before anybody looks.

    Args:
        run: of the DAG, which has succeeded.
    """

    airflow: WatchedAirflow
    people: People
    project: str
    digest: str
    run: str


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedAirflow]:
    airflow = WatchedAirflow(tmp_path_factory.mktemp("watched-airflow"))
    airflow.dags.mkdir()
    airflow.console.mkdir()
    airflow.add_dag(Path(cape_customers.__file__))
    airflow.migrate()
    try:
        for component in COMPONENTS:
            airflow.start(component)
        airflow.wait_until_healthy()
        yield airflow
    finally:
        airflow.stop()


@pytest.fixture(scope="module")
def story(airflow: WatchedAirflow, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A project with a policy, of which Ann is an owner; a run that succeeded; and a suggestion that waits for her."""
    token = initialise(Settings(home=airflow.home / "cape"), "admin@example.com", "admin")
    people = People(f"{airflow.url}/cape", token)
    airflow.rest("POST", "/connections", {"connection_id": "cape_default", **people.connection()})
    project = people.new_project()
    digest = people.approve(project)
    for name in PASSWORDS:  # who looks at a page becomes a user
        assert logged_in(airflow, name).get(f"{airflow.url}/cape/", timeout=60).ok
    people.admin.set_contributor(project, "ann@airflow", "project-owner")
    people.engineer.suggest(
        project, "Tokens of half the length", POLICY.replace("type: keyed-hash", "type: keyed-hash, length: 32")
    )
    folder = tmp_path_factory.mktemp("customers")
    source = folder / "customers.parquet"
    rows = {"email": [f"{n}@example.com" for n in range(5000)], "country": ["NL", "XX"] * 2500}
    pq.write_table(pa.table(rows), source)
    run = airflow.run(DAG, project=project, source=str(source), target=str(folder / "out.parquet"))
    airflow.wait_for_state(DAG, run, TASK, "success", seconds=400)
    return Story(airflow, people, project, digest, run)


class Visitor:
    """Somebody who is logged in to Airflow, at a browser."""

    def __init__(self, page: Page, airflow: WatchedAirflow, axe: str, pictures: Path) -> None:  # noqa: F811
        self.page, self.airflow, self._axe, self._pictures = page, airflow, axe, pictures

    def open(self, path: str) -> FrameLocator:
        """Go to a page of Airflow's; return the frame in it."""
        self.page.goto(self.airflow.url + path)
        return self.page.frame_locator("iframe")

    def look(self, name: str, *, framed: bool = True) -> None:
        """Take pictures in both of Airflow's themes, and check what is ours in the frame for who cannot see it well."""
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            self.page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
            self.page.reload()
            self.page.locator(f"html.{theme}").wait_for()
            if framed:
                self._check(theme)
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=self._pictures / f"{name}-{theme}.png")

    def _check(self, theme: str) -> None:
        inner = self.page.frame_locator("iframe")
        inner.locator(f"html[data-theme={theme}]").wait_for()
        inner.locator("h1").wait_for()
        [frame] = self.page.main_frame.child_frames
        frame.evaluate(self._axe)
        found = frame.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(v["id"], v["nodes"][0]["target"]) for v in found] == [], (frame.url, theme)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    kept = Path(os.environ.get("PICTURES", tmp_path / "pictures"))
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@pytest.fixture
def ann(story: Story, chromium: Browser, axe: str, pictures: Path) -> Iterator[Visitor]:  # noqa: F811
    yield from _visitor("ann", story, chromium, axe, pictures)


@pytest.fixture
def vic(story: Story, chromium: Browser, axe: str, pictures: Path) -> Iterator[Visitor]:  # noqa: F811
    yield from _visitor("vic", story, chromium, axe, pictures)


def _visitor(name: str, story: Story, browser: Browser, axe: str, pictures: Path) -> Iterator[Visitor]:  # noqa: F811
    context = browser.new_context(viewport=SIZE, reduced_motion="reduce")
    token = logged_in(story.airflow, name).cookies["_token"]
    context.add_cookies([{"name": "_token", "value": token, "url": story.airflow.url}])
    yield Visitor(context.new_page(), story.airflow, axe, pictures)
    context.close()


def job_id(story: Story) -> str:
    return str(story.airflow.xcom(DAG, story.run, TASK)["job_id"])


def test_privacy_in_the_navigation_shows_airflows_user_what_waits_for_her(ann: Visitor) -> None:
    frame = ann.open("/plugin/privacy")
    expect(frame.locator("h1")).to_have_text("Overview")
    expect(frame.locator("body")).to_contain_text("for ann")
    expect(frame.get_by_role("link", name="Tokens of half the length")).to_be_visible()
    expect(ann.page.get_by_role("link", name="Privacy")).to_be_visible()
    ann.look("airflow-overview")


def test_the_connection_form_explains_its_fields(ann: Visitor) -> None:
    page = ann.page
    ann.open("/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    kind = dialog.get_by_role("combobox").first
    kind.click()
    kind.fill("cape")
    page.get_by_role("option", name="cape").first.click()
    expect(dialog.get_by_placeholder("cape.example.com (a name, not a URL)")).to_be_visible()
    expect(dialog.get_by_placeholder("<token id>,<secret>, from: cape tokens create")).to_be_visible()
    expect(dialog.get_by_text("API token")).to_be_visible()
    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
    for label in ("Scheme", "Path prefix", "Pinned signing keys"):
        expect(dialog.get_by_text(label).first).to_be_visible()
    expect(dialog.get_by_text("Longest time one call may take, retries included.")).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.className = '{theme}'")
        page.screenshot(path=ann._pictures / f"airflow-connection-{theme}.png")


def test_a_finished_task_links_to_pages_that_answer(ann: Visitor, story: Story) -> None:
    path = f"/dags/{DAG}/dagRuns/{story.run}/taskInstances"
    links = story.airflow.rest("GET", f"{path}/{TASK}/links")["extra_links"]
    pages = f"{story.airflow.url}/cape/projects/{story.project}"
    assert links["Privacy job"] == f"{pages}/jobs/{job_id(story)}"
    assert links["Privacy policy"] == f"{pages}/policies/{story.digest}"
    assert links["Privacy review"].startswith(f"{pages}/suggestions/")
    waited = story.airflow.rest("GET", f"{path}/approved/links")["extra_links"]
    assert waited == {"Privacy review": f"{pages}/suggestions"}
    for url in {**links, **waited}.values():
        assert ann.page.goto(url).status == 200  # type: ignore[union-attr]
    ann.open(f"/dags/{DAG}/runs/{story.run}/tasks/{TASK}/details")
    for name in links:
        expect(ann.page.get_by_role("link", name=name)).to_have_attribute("href", links[name])
    ann.look("airflow-links", framed=False)


@pytest.mark.parametrize(
    ("path", "picture"),
    [
        ("/dags/{dag}/plugin/privacy-dag", ""),
        ("/dags/{dag}/runs/{run}/plugin/privacy-dag-run", "airflow-run"),
        ("/dags/{dag}/tasks/{task}/plugin/privacy-task", ""),
        ("/dags/{dag}/runs/{run}/tasks/{task}/plugin/privacy-task-instance", "airflow-task"),
    ],
)
def test_dags_runs_and_tasks_show_their_job(path: str, picture: str, ann: Visitor, story: Story) -> None:
    frame = ann.open(path.format(dag=DAG, run=story.run, task=TASK))
    expect(frame.locator(f'a[href$="/jobs/{job_id(story)}"]')).to_be_visible()
    expect(frame.locator("#here")).to_contain_text("5,000")
    expect(frame.get_by_role("link", name="Tokens of half the length")).to_be_visible()
    if picture:
        ann.look(picture)


def test_who_belongs_to_no_project_sees_no_job(vic: Visitor, story: Story) -> None:
    frame = vic.open(f"/dags/{DAG}/plugin/privacy-dag")
    expect(frame.locator("body")).to_contain_text("Nothing is shown to you here")
    expect(frame.locator("body")).to_contain_text("vic@airflow")
    assert job_id(story) not in frame.locator("body").inner_html()


def test_a_task_that_is_killed_is_seen_running_and_its_job_ends(ann: Visitor, story: Story, tmp_path: Path) -> None:
    airflow, people = story.airflow, story.people
    known = {job.job_id for job in people.engineer.jobs(story.project)}
    source, target = a_minutes_work(tmp_path / "source"), tmp_path / "out.parquet"
    run = airflow.run(DAG, project=story.project, source=source, target=str(target))

    def told() -> Any:
        jobs = [job for job in people.engineer.jobs(story.project) if job.job_id not in known]
        return next((job for job in jobs if job.progress.rows_in), None)

    job = wait_for("job with progress", told, 240)
    frame = ann.open(f"/dags/{DAG}/runs/{run}/plugin/privacy-dag-run")
    expect(frame.locator("#here")).to_contain_text("1 running")
    expect(frame.locator("#here")).to_contain_text("rows/s now")
    ann.look("airflow-running")

    os.kill(process_of(airflow.task(DAG, run, TASK)["id"]), signal.SIGKILL)
    ended = wait_for("end of the job", lambda: _ended(people, story.project, job.job_id), DIES_WITHIN)
    assert ended.error.startswith("TaskDied: ")
    assert airflow.task(DAG, run, TASK)["state"] == "failed"
    assert not target.exists()
    frame = ann.open(f"/dags/{DAG}/runs/{run}/plugin/privacy-dag-run")
    expect(frame.locator("#here")).to_contain_text("1 failed")
    scheduler = (airflow.console / "scheduler.log").read_text()
    assert f"Job {job.job_id} of {DAG}.{TASK} has ended: its task died" in scheduler
    assert people.worker_token.partition(",")[2] not in scheduler


def _ended(people: People, project: str, job_id: str) -> Any:
    job = people.engineer.job(project, job_id)
    return job if job.state is JobState.FAILED else None


def process_of(task_instance: str) -> int:
    """Return the process in which a task instance runs, by the title that Airflow gives it."""
    title = f"airflow worker -- {task_instance}"
    [found] = [each.pid for each in psutil.process_iter(["cmdline"]) if title in " ".join(each.info["cmdline"] or ())]
    return int(found)
