"""Every page about jobs, keys, people and supervision in a real Chromium, in both themes, wide and narrow.

``PICTURES=docs/images`` keeps the pictures that the documentation shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

# The fixtures of a browser, of the accessibility checker, and of where pictures go.
from tests.coordinator.pages import test_browser
from tests.coordinator.pages.story import tell

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

arrive, axe, chromium, folder = test_browser.arrive, test_browser.axe, test_browser.chromium, test_browser.folder

PAGES = {
    "jobs": "/jobs?limit=6",
    "job": "/projects/customers/jobs/{finished}",
    "job-failed": "/projects/customers/jobs/{failed}",
    "job-running": "/projects/customers/jobs/{running}",
    "schedulers": "/schedulers",
    "keys": "/projects/customers/keys",
    "contributors": "/projects/customers/people",
    "people": "/people",
    "tokens": "/tokens",
    "audit": "/audit?limit=6",
    "settings": "/settings",
    "overview": "/",
}
OTHER_HOME = """home => document.querySelectorAll("code").forEach(
    part => part.textContent = part.textContent.replace(home, "/srv/cape"))"""


@pytest.fixture(scope="session")
def kind() -> str:
    """A page looks the same on both databases."""
    return "sqlite"


def test_every_page_is_readable_for_everybody(
    project: Any, serve: Callable[[Any], str], arrive: Callable[[str], Any]
) -> None:
    ids = tell(project)
    visitor = arrive(serve(project.deployment.app))
    enter(visitor, project.deployment, "admin@example.com")
    for name, path in PAGES.items():
        visitor.open(path.format(**ids))
        visitor.page.evaluate(OTHER_HOME, str(project.deployment.settings.home))  # pictures show no folder of a test
        visitor.look(name)


def test_a_running_job_moves_on_by_itself_and_its_figures_can_be_opened(
    project: Any, serve: Callable[[Any], str], arrive: Callable[[str], Any]
) -> None:
    ids = tell(project)
    visitor = arrive(serve(project.deployment.app))
    enter(visitor, project.deployment, "customers-reader@example.com")
    visitor.open(f"/projects/customers/jobs/{ids['running']}")
    visitor.sees("640,000")
    progress = {"rows_in": 910_000, "rows_out": 900_000, "rows_total": 1_000_000, "seconds": 12.5}
    path = f"{project.path}/jobs/{ids['running']}/heartbeat"
    project.deployment.done("POST", path, project.worker, progress)
    visitor.sees("910,000")
    visitor.open("/")
    visitor.page.get_by_text("Runs per day as a table").first.click()
    visitor.look()


def enter(visitor: Any, deployment: Any, email: str) -> None:
    """Give a browser the session that somebody's log in has opened."""
    session = deployment.browser(email)
    visitor.page.context.add_cookies([{"name": "cape_session", "value": session.cookie, "url": visitor.base}])
