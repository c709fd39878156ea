from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient


def test_what_is_refused_is_said_on_a_page_with_the_request_that_it_was(project: Any) -> None:
    answer = project.deployment.ask("GET", "/projects/nowhere", project.owner)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no such page" in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_a_form_that_is_filled_in_wrongly_is_told_by_field_and_never_shows_what_was_sent(project: Any) -> None:
    suggestion = project.suggest()
    path = f"/projects/customers/suggestions/{suggestion['id']}/approve"
    form = {"digest": "<b>not-hexadecimal</b>", "revision": "1"}
    answer = project.deployment.http.post(path, data=form, headers={"Authorization": f"Bearer {project.owner}"})
    assert answer.status_code == 422
    assert "digest: must be 64 lower-case hex digits" in answer.text
    assert "not-hexadecimal" not in answer.text


def test_whoever_is_not_logged_in_is_sent_to_do_so(project: Any) -> None:
    answer = project.deployment.ask("GET", "/projects", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/projects"


def test_addresses_begin_where_the_app_is_mounted(project: Any) -> None:
    outer = TestClient(Starlette(routes=[Mount("/cape", project.deployment.app)]))
    answer = outer.get("/cape/projects", headers={"Authorization": f"Bearer {project.owner}"})
    assert 'href="/cape/projects/customers"' in answer.text
    assert 'src="/cape/static/' in answer.text
    assert 'href="/projects' not in answer.text
