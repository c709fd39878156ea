from __future__ import annotations

from typing import Any


def test_the_page_that_is_shown_is_marked_and_those_below_it_too(project: Any) -> None:
    for path in ("/projects", "/projects/customers/policy"):
        page = project.deployment.ask("GET", path, project.owner).text
        assert '<a href="/projects" aria-current="page">' in page
        assert page.count('aria-current="page"') == (1 if path == "/projects" else 2)  # the breadcrumb's last is one


def test_supervision_is_for_those_who_see_everything(project: Any) -> None:
    assert 'href="/settings"' not in project.deployment.ask("GET", "/projects", project.owner).text
    assert 'href="/settings"' in project.deployment.ask("GET", "/projects", project.deployment.admin).text
