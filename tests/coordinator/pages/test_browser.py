"""The way of two people in a real Chromium, from nothing to a report of a job; and what it looks like on the way.

``PICTURES=docs/images`` keeps the pictures that the documentation shows; `pngquant` makes them small.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests import needs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

AXE = "axe-core@4.14.1"
PASSWORD = "four words are enough"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker, as its package on npm has it."""
    folder = tmp_path_factory.mktemp("axe")
    npm = needs.program("npm")
    subprocess.run([npm, "pack", AXE, "--silent"], cwd=folder, check=True, capture_output=True, timeout=120)
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        member = package.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = needs.program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where pictures go."""
    kept = Path(os.environ.get("PICTURES", tmp_path / "pictures"))
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@dataclass
class Visitor:
    """Somebody at a browser; everything that the browser complains of is an error."""

    page: Page
    base: str
    axe: str
    folder: Path
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    def set_password(self, link: str) -> None:
        """Follow a one-time link."""
        self.page.goto(link)
        self.page.fill("#password", PASSWORD)
        self.press("Set password and log in")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_load_state()

    def title(self) -> str:
        return self.page.inner_text("h1")

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def look(self, name: str = "") -> None:
        """Check the page in both themes for whoever cannot see it well; take pictures where it has a name."""
        assert self.complaints == []
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            if name:
                self._take(self.folder / f"{name}-{scheme}.png")
            self.page.evaluate(self.axe)
            found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            assert [(v["id"], v["impact"], v["nodes"][0]["target"]) for v in found] == [], (self.page.url, scheme)
        self.complaints.clear()  # axe itself sets styles, which the page's policy refuses
        for size in (NARROW, WIDE):
            self.page.set_viewport_size(size)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= size["width"], self.page.url
        self.page.emulate_media(color_scheme="light")

    def _take(self, path: Path) -> None:
        height = min(1200, self.page.evaluate("document.documentElement.scrollHeight"))
        self.page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": 1280, "height": height})


@pytest.fixture
def arrive(chromium: Browser, axe: str, folder: Path) -> Iterator[Callable[[str], Visitor]]:
    contexts = []

    def visitor(base: str) -> Visitor:
        contexts.append(chromium.new_context(viewport=WIDE, reduced_motion="reduce"))  # no colour is halfway
        return Visitor(contexts[-1].new_page(), base, axe, folder)

    yield visitor
    for context in contexts:
        context.close()


@pytest.fixture
def deployment(prepared_sqlite: Any, tmp_path: Path, deploy_on: Callable[[str], Any]) -> Any:
    return deploy_on(f"sqlite:///{tmp_path / 'cape.db'}")


def one_time_link(deployment: Any, base: str, email: str) -> str:
    made = deployment.done("POST", f"/v1/users/{email}/link", deployment.admin)
    return base + "/set-password#" + str(made["url"]).partition("#")[2]


def test_two_people_come_from_nothing_to_an_approved_policy_a_job_and_its_record(
    deployment: Any, serve: Callable[[Any], str], arrive: Callable[[str], Visitor]
) -> None:
    base = serve(deployment.app)
    ada, grace = arrive(base), arrive(base)
    ada.set_password(one_time_link(deployment, base, "admin@example.com"))
    invitation = take_first_steps(ada)
    suggestion = suggest_the_sample(ada)
    approval_of_ones_own_is_refused(ada, suggestion)
    grace.set_password(invitation)
    ask_for_changes(grace, suggestion)
    make_the_changes(ada, suggestion)
    approve(grace, suggestion)
    run_a_job(deployment)
    ada.open("/jobs")
    ada.page.locator("tbody").get_by_text("succeeded").wait_for()
    ada.look()
    exported = export_the_audit_log(ada)
    for event in ("suggest-project-policy", "approve-project-suggestion", "finish-job"):
        assert event in exported


def take_first_steps(ada: Visitor) -> str:
    """Make a project and its key, invite Grace, and return her link."""
    ada.open("/first-steps")
    ada.look("first-steps")
    ada.press("Make the project")
    ada.press("Make the key")
    ada.page.fill("#name", "Grace Lind")
    ada.page.fill("#email", "grace@example.com")
    ada.press("Invite")
    ada.look()
    return ada.page.inner_text("#invitation")


def suggest_the_sample(ada: Visitor) -> str:
    """Suggest what the editor begins with, and return the path of the suggestion."""
    ada.open("/projects/customers/first-steps")
    ada.page.get_by_role("link", name="Open the editor").click()
    ada.look("editor")
    ada.page.fill("#title", "First policy for customers")
    ada.page.fill("#description", "Analysts get the customers without names; salaries only in thousands.")
    ada.press("Suggest it")
    ada.look("own-suggestion")
    return ada.page.url.removeprefix(ada.base)


def approval_of_ones_own_is_refused(ada: Visitor, suggestion: str) -> None:
    ada.sees("Somebody else has to approve this")
    assert ada.page.get_by_role("button", name="Approve", exact=True).count() == 0
    names = ("csrf_token", "digest")
    form = {name: ada.page.locator(f"input[name={name}]").first.input_value() for name in names}
    refused = ada.page.request.post(f"{ada.base}{suggestion}/approve", form=form | {"revision": "1"})
    assert refused.status == 403
    assert "nobody reviews a suggestion of his own" in refused.text()


def ask_for_changes(grace: Visitor, suggestion: str) -> None:
    """Comment on a line, and ask for changes."""
    grace.open(suggestion)
    grace.page.get_by_title("Say something about line 18").click()
    grace.page.fill("textarea[name=text]", "Is the country needed at all?")
    grace.press("Comment")
    grace.page.locator("textarea[name=comment]").first.fill("Please say why the country stays.")
    grace.press("Request changes")
    grace.sees("A reviewer asks for changes")
    grace.look()


def make_the_changes(ada: Visitor, suggestion: str) -> None:
    """Make a new revision."""
    ada.open(suggestion)
    ada.page.get_by_role("link", name="Edit", exact=True).click()
    text = ada.page.input_value("#policy")
    ada.page.fill("#policy", text.replace("a country alone points at nobody", "taxes depend on it"))
    ada.look()
    ada.press("Save the new revision")
    ada.sees("on line 18 of revision 1")


def approve(grace: Visitor, suggestion: str) -> None:
    """Approve it, and look at the policy."""
    grace.open(suggestion)
    grace.look("suggestion")
    grace.press("Approve")
    grace.look()
    grace.open("/projects/customers/policy")
    grace.sees("taxes depend on it")
    grace.look("policy")


def export_the_audit_log(ada: Visitor) -> str:
    """Download it, and return what it says."""
    ada.open("/audit")
    with ada.page.expect_download() as download:
        ada.page.get_by_role("link", name="As CSV").click()
    return Path(download.value.path()).read_text()


def run_a_job(deployment: Any) -> None:
    """Report a run of the approved policy, as a worker does."""
    project = "/v1/projects/customers"
    deployment.done("POST", f"{project}/workers", deployment.admin, {"email": "worker@example.com", "name": "Worker"})
    made = deployment.done(
        "POST", f"{project}/workers/worker@example.com/tokens", deployment.admin, {"description": "airflow"}
    )
    digest = deployment.done("GET", f"{project}/policy", made["token"])["digest"]
    job_id, moment = uuid4().hex, deployment.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    start = {
        "job_id": job_id,
        "policy_digest": digest,
        "engine": "local",
        "kernels": "python",
        "source": "s3://in/customers.csv",
        "target": "s3://out/customers.parquet",
        "started_at": moment,
        "origin": {"dag_id": "cape_customers"},
    }
    finish = {
        "state": "succeeded",
        "progress": {"rows_in": 5, "rows_out": 5},
        "columns": [{"name": "email", "techniques": ["keyed-hash"], "decision": "transformed", "values": 5}],
        "finished_at": moment,
    }
    deployment.done("PUT", f"{project}/jobs/{job_id}", made["token"], start)
    deployment.done("POST", f"{project}/jobs/{job_id}/finish", made["token"], finish)


def test_the_editor_follows_what_is_chosen_and_works_without_scripts(
    deployment: Any, serve: Callable[[Any], str], arrive: Callable[[str], Visitor], chromium: Browser
) -> None:
    base = serve(deployment.app)
    deployment.done("POST", "/v1/projects", deployment.admin, {"name": "Customers"})
    ada = arrive(base)
    ada.set_password(one_time_link(deployment, base, "admin@example.com"))
    ada.open("/projects/customers/editor?sample=true")
    ada.page.get_by_label("What becomes of country").select_option("suppress-attribute")
    ada.page.locator("#outcome", has_text="name, country").wait_for()
    ada.page.get_by_label("What becomes of email").select_option("deterministic-encryption")
    ada.page.locator("#outcome", has_text="Reversible pseudonym").wait_for()
    assert ada.complaints == []

    plain = chromium.new_context(java_script_enabled=False, storage_state=ada.page.context.storage_state())
    page = plain.new_page()
    page.goto(f"{base}/projects/customers/editor")
    page.fill("#add", "email\nage")
    page.get_by_role("button", name="Add them").click()
    page.get_by_label("What becomes of age").select_option("round")
    page.get_by_role("button", name="Update", exact=True).click()
    page.get_by_label("Precision").fill("-1")
    page.get_by_role("button", name="Update", exact=True).click()
    assert "precision: -1" in page.inner_text("#outcome")
    plain.close()


def test_pages_wear_the_theme_of_the_frame_that_shows_them(
    deployment: Any, serve: Callable[[Any], str], arrive: Callable[[str], Visitor]
) -> None:
    base = serve(deployment.app)
    page = arrive(base).page
    host = "<!doctype html><html class='dark'><title>Airflow</title><iframe src='/login'></iframe></html>"
    page.route("**/airflow", lambda route: route.fulfill(body=host, content_type="text/html"))
    page.goto(f"{base}/airflow")
    frame = page.frame_locator("iframe")
    frame.locator("html[data-theme=dark]").wait_for()
    page.evaluate("document.documentElement.className = 'light'")
    frame.locator("html[data-theme=light]").wait_for()


def test_all_pages_of_a_project_are_fit_for_everybody(
    deployment: Any, serve: Callable[[Any], str], arrive: Callable[[str], Visitor], policy_text: str
) -> None:
    base = serve(deployment.app)
    project = deployment.project()
    first = project.approved(policy_text)["digest"]
    second = project.approved(policy_text.replace("email", "phone"))["digest"]
    project.suggest(policy_text.replace("email", "iban"))
    owner = arrive(base)
    owner.set_password(one_time_link(deployment, base, "customers-owner@example.com"))
    owner.open("/projects")
    owner.look("projects")
    for page, name in {
        "": "project",
        "/policies": "versions",
        f"/policies/{first}": "",
        f"/policies/compare?before={first}&after={second}": "compare",
        "/suggestions": "suggestions",
        "/suggestions/new": "",
    }.items():
        owner.open(f"/projects/customers{page}")
        owner.look(name)
    owner.open("/projects/unknown")
    assert owner.title() == "There is no such page"
    owner.look()
