from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest


def test_the_caller_learns_who_he_is_and_where_he_belongs(deployment: Any, project: Any) -> None:
    deployment.project("other")
    deployment.join("other", "customers-reader", "project-contributor")
    me = deployment.done("GET", "/v1/me", project.reader)
    assert (me["email"], me["name"], me["role"]) == ("customers-reader@example.com", "customers-reader", "user")
    assert me["projects"] == [
        {"label": "customers", "role": "project-reader"},
        {"label": "other", "role": "project-contributor"},
    ]


def test_an_email_is_one_user_however_it_is_written(deployment: Any) -> None:
    made = deployment.done("POST", "/v1/users", deployment.admin, {"email": "Bob@Example.com", "name": "Bob"})
    assert made["email"] == "bob@example.com"
    again = deployment.ask("POST", "/v1/users", deployment.admin, {"email": "bOB@example.COM", "name": "Bob"})
    assert (again.status_code, again.json()["code"]) == (409, "already-exists")
    assert deployment.token("BOB@EXAMPLE.COM")


@pytest.mark.parametrize(
    "email", ["", "bob", "bob@", "@b.de", "a b@c.de", "a\u202eb@c.de", "a/b@c.de", "a@b@c.de", "a@" + "b" * 254, None]
)
def test_what_is_no_email_is_refused(shared_deployment: Any, email: Any) -> None:
    body = {"email": email, "name": "x"}
    assert shared_deployment.ask("POST", "/v1/users", shared_deployment.admin, body).status_code == 422


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x1b[31m", "evil\u202eliam", "a\u200bb", "x" * 201, 7])
def test_a_name_is_one_visible_line(shared_deployment: Any, name: Any) -> None:
    body = {"email": "x@example.com", "name": name}
    assert shared_deployment.ask("POST", "/v1/users", shared_deployment.admin, body).status_code == 422


def test_a_token_lives_90_days_unless_said_otherwise_and_never_for_ever(deployment: Any, project: Any) -> None:
    def days(**more: Any) -> timedelta:
        made = deployment.done("POST", "/v1/tokens", deployment.admin, {"description": "x"} | more)
        return datetime.fromisoformat(made["expires_at"]) - deployment.clock.now

    assert days() == timedelta(days=90)
    assert days(expires_in_days=1) == timedelta(days=1)
    for wrong in (0, -1, 3651, 1.5, "1", True):
        body = {"description": "x", "expires_in_days": wrong}
        assert deployment.ask("POST", "/v1/tokens", project.reader, body).status_code == 422


def test_a_token_is_shown_once(deployment: Any, project: Any) -> None:
    made = deployment.done("POST", "/v1/tokens", project.reader, {"description": "laptop"})
    assert made["token"].startswith(made["id"] + ",")
    listed = deployment.done("GET", "/v1/tokens", project.reader)["items"]
    assert [token["description"] for token in listed] == ["test", "laptop"]
    assert all("token" not in token for token in listed)


def test_tokens_of_others_are_for_admins(deployment: Any, project: Any) -> None:
    theirs = "/v1/tokens?user_email=customers-owner@example.com"
    body = {"description": "x", "user_email": "customers-owner@example.com"}
    nobody = {"description": "x", "user_email": "nobody@example.com"}
    assert deployment.ask("GET", theirs, project.reader).status_code == 403
    assert deployment.ask("POST", "/v1/tokens", project.reader, body).status_code == 403
    assert deployment.ask("POST", "/v1/tokens", project.reader, nobody).status_code == 403
    assert deployment.ask("POST", "/v1/tokens", deployment.admin, nobody).status_code == 404
    assert len(deployment.done("GET", theirs, deployment.admin)["items"]) == 1
    assert len(deployment.done("GET", "/v1/tokens", deployment.admin)["items"]) == 5


def test_a_token_of_a_list_is_ones_own_for_everybody_else(deployment: Any, project: Any) -> None:
    own = deployment.done("GET", "/v1/tokens", project.reader)["items"]
    assert {token["user_email"] for token in own} == {"customers-reader@example.com"}


def test_a_token_of_a_worker_makes_no_tokens(deployment: Any, project: Any) -> None:
    deployment.project("other")
    deployment.join("other", "customers-worker", "worker")
    refused = deployment.ask("POST", "/v1/tokens", project.worker, {"description": "x"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    deployment.join("other", "customers-reader", "worker")
    assert deployment.ask("POST", "/v1/tokens", project.reader, {"description": "x"}).is_success


def test_a_token_does_not_outlive_the_one_that_made_it_unless_an_admin_made_it(deployment: Any, project: Any) -> None:
    body = {"description": "x", "expires_in_days": 3650}
    first = deployment.done("GET", "/v1/me", project.reader)["expires_at"]
    assert deployment.done("POST", "/v1/tokens", project.reader, body)["expires_at"] == first
    mine = deployment.done("GET", "/v1/me", deployment.admin)["expires_at"]
    assert deployment.done("POST", "/v1/tokens", deployment.admin, body)["expires_at"] > mine


def test_with_a_token_all_that_were_made_with_it_are_revoked(deployment: Any, project: Any) -> None:
    line = [project.reader]
    for _ in range(3):
        line.append(deployment.done("POST", "/v1/tokens", line[-1], {"description": "next"})["token"])
    beside = deployment.token("customers-reader@example.com")
    deployment.done("DELETE", f"/v1/tokens/{line[1].partition(',')[0]}", beside)
    statuses = [deployment.ask("GET", "/v1/me", token).status_code for token in [*line, beside]]
    assert statuses == [200, 401, 401, 401, 200]
    assert len(deployment.rows("SELECT * FROM audit WHERE event = 'remove-token'")) == 3


def test_a_token_that_is_revoked_while_it_makes_another_leaves_none_behind(deployment: Any, project: Any) -> None:
    body = {"description": "next"}
    with deployment.http:
        for _ in range(10):
            first = deployment.token("customers-reader@example.com")
            barrier = Barrier(2)

            def make(first: str = first, barrier: Barrier = barrier) -> Any:
                barrier.wait()
                return deployment.ask("POST", "/v1/tokens", first, body)

            def revoke(first: str = first, barrier: Barrier = barrier) -> bool:
                barrier.wait()
                path = f"/v1/tokens/{first.partition(',')[0]}"
                return bool(deployment.ask("DELETE", path, deployment.admin).is_success)

            with ThreadPoolExecutor(2) as pool:
                made, revoked = pool.submit(make), pool.submit(revoke)
                assert revoked.result()
                assert made.result().status_code in (201, 401)
            if made.result().is_success:
                assert deployment.ask("GET", "/v1/me", made.result().json()["token"]).status_code == 401
