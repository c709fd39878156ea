"""Forms of the pages do what the routes of the API do, and say no where these do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def project(shared_project: Any) -> Any:
    return shared_project


def send(project: Any, path: str, token: str, **fields: str) -> Any:
    """Send a form as a page does; it is not followed to the page that it leads to."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(fields)
    return project.deployment.ask("POST", path, token, content=body, headers=headers, follow_redirects=False)


def done(project: Any, path: str, token: str, **fields: str) -> str:
    """Send a form that must succeed, and return the page that it leads to."""
    answer = send(project, path, token, **fields)
    assert answer.status_code == 303, answer.text
    return page(project, answer.headers["location"], token)


def page(project: Any, path: str, token: str) -> str:
    answer = project.deployment.ask("GET", path, token)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_a_key_is_made_rotated_retired_and_destroyed_with_a_receipt(project: Any) -> None:
    keys, owner = "/projects/customers/keys", project.owner
    assert "<code>pay</code>" in done(project, keys, owner, name="pay", length="64", rotate_after_days="10")
    assert "rotate soon" not in page(project, keys, owner)
    assert "version 1 of pay" in done(project, f"{keys}/pay/rotate", owner)
    assert "retired" in done(project, f"{keys}/pay/versions/1/retire", owner)
    refused = send(project, f"{keys}/pay/versions/1/destroy", owner, confirm="pax")
    assert refused.status_code in (409, 422), refused.text
    assert "receipt" in done(project, f"{keys}/pay/versions/1/destroy", owner, confirm="pay")
    assert "(every 30 days)" in done(project, f"{keys}/pay/period", owner, rotate_after_days="30")
    assert "(every 30 days)" not in done(project, f"{keys}/pay/period", owner, rotate_after_days="")


def test_keys_can_be_seen_but_not_changed_by_readers(project: Any) -> None:
    text = page(project, "/projects/customers/keys", project.reader)
    assert "A new key" not in text
    assert "<form" not in text.partition("<main")[2]
    assert send(project, "/projects/customers/keys", project.reader, name="mine").status_code == 403


def test_a_name_that_is_refused_is_not_repeated(project: Any) -> None:
    answer = send(project, "/projects/customers/keys", project.owner, name=HOSTILE)
    assert answer.status_code == 422
    assert "alert" not in answer.text


def test_owners_give_take_and_change_roles(project: Any) -> None:
    project.deployment.user("grace")
    people, owner, email = "/projects/customers/people", project.owner, "grace@example.com"
    assert email in done(project, people, owner, email=email, role="project-reader")
    text = done(project, people, owner, email=email, role="project-contributor")
    assert re.search(rf"{email}.{{0,200}}project-contributor", text, re.DOTALL)
    assert email not in done(project, f"{people}/{email}/remove", owner)
    assert send(project, people, owner, email="customers-owner@example.com", role="worker").status_code == 403


def test_owners_say_which_worker_may_turn_tokens_back(project: Any) -> None:
    worker = "/projects/customers/people/customers-worker@example.com/reveal"
    assert "may turn tokens back" in done(project, worker, project.owner, may_reveal="true")
    assert "may turn tokens back" not in done(project, worker, project.owner, may_reveal="false")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(project: Any) -> None:
    answer = send(project, "/tokens", project.reader, description="notebook", expires_in_days="5")
    assert answer.status_code == 200
    token = re.search(r'<code id="made">([^<]+)</code>', answer.text)
    assert token is not None
    assert page(project, "/jobs", token[1])
    listed = page(project, "/tokens", project.reader)
    assert token[1] not in listed
    assert "notebook" in listed
    assert "revoked" in done(project, f"/tokens/{token[1].partition(',')[0]}/revoke", project.reader)
    assert project.deployment.ask("GET", "/v1/me", token[1]).status_code == 401


def test_one_sees_ones_own_tokens_and_an_auditor_those_of_others(project: Any) -> None:
    auditor = project.deployment.user("auditor", role="auditor")
    path = "/tokens?user_email=customers-reader@example.com"
    text = page(project, path, auditor)
    assert "Of customers-reader@example.com" in text
    assert "Revoke…" not in text
    assert project.deployment.ask("GET", path, project.owner).status_code == 403
    assert "Of auditor@example.com" in page(project, "/tokens?user_email=", auditor)


def test_admins_make_people_invite_and_deactivate_them(project: Any) -> None:
    admin = project.deployment.admin
    text = done(project, "/people", admin, email="linus@example.com", name=HOSTILE, role="user", kind="person")
    assert "linus@example.com" in text
    assert HOSTILE not in text
    invited = send(project, "/people/linus@example.com/link", admin)
    assert re.search(r"<code>http[^<]*/set-password#[^<]+</code>", invited.text)
    assert "/set-password#" not in page(project, "/people", admin)
    assert "deactivated" in done(project, "/people/linus@example.com/deactivate", admin)
    assert "deactivated" not in done(project, "/people/linus@example.com/activate", admin)
    text = done(project, "/people/linus@example.com/role", admin, role="auditor")
    assert re.search(r"linus@example.com.{0,200}auditor", text, re.DOTALL)


def test_a_cookie_needs_the_token_of_its_pages(project: Any) -> None:
    browser = project.deployment.browser("customers-owner@example.com")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for csrf, expected in (("wrong", 403), (browser.csrf, 303)):
        body = urlencode({"csrf_token": csrf, "name": "by-cookie"})
        answer = browser.ask("POST", "/projects/customers/keys", content=body, headers=headers, csrf="")
        assert answer.status_code == expected, answer.text
    text = browser.ask("GET", "/projects/customers/keys").text
    forms = text.count('<form method="post"')
    assert forms == text.count(f'name="csrf_token" value="{browser.csrf}"')
    assert forms > 3
