from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

READER = "customers-reader@example.com"


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_last_admin_can_neither_be_demoted_nor_deactivated(deployment: Any) -> None:
    admin = "/v1/users/admin@example.com"
    for method, path, body in (("PUT", "/role", {"role": "user"}), ("POST", "/deactivate", None)):
        assert refused(deployment.ask(method, admin + path, deployment.admin, body)) == (409, "last-admin")
    second = deployment.user("second", role="admin")
    deployment.done("POST", admin + "/deactivate", second)
    assert refused(deployment.ask("PUT", "/v1/users/second@example.com/role", second, {"role": "auditor"})) == (
        409,
        "last-admin",
    )


def test_of_two_admins_who_demote_each_other_at_the_same_moment_one_stays(deployment: Any) -> None:
    names = ("one", "two")
    tokens = {name: deployment.user(name, role="admin") for name in names}
    deployment.done("PUT", "/v1/users/admin@example.com/role", tokens["one"], {"role": "user"})
    with deployment.http:
        for _ in range(5):
            barrier = Barrier(2)

            def demote(by: str, other: str, barrier: Barrier = barrier) -> int:
                barrier.wait()
                path = f"/v1/users/{other}@example.com/role"
                return int(deployment.ask("PUT", path, tokens[by], {"role": "user"}).status_code)

            with ThreadPoolExecutor(2) as pool:
                assert sorted(pool.map(demote, names, reversed(names))) in ([200, 403], [200, 409])
            [(left,)] = deployment.rows("SELECT name FROM users WHERE role = 'admin'")
            demoted = "one" if left == "two" else "two"
            deployment.done("PUT", f"/v1/users/{demoted}@example.com/role", tokens[left], {"role": "admin"})


def test_whoever_is_deactivated_loses_tokens_sessions_and_links_at_once(deployment: Any, project: Any) -> None:
    browser = deployment.browser(READER)
    link = deployment.done("POST", f"/v1/users/{READER}/link", deployment.admin)["url"]
    user = deployment.done("POST", f"/v1/users/{READER}/deactivate", deployment.admin)
    assert user["deactivated_at"]
    assert deployment.ask("GET", "/v1/me", project.reader).status_code == 401
    assert browser.ask("GET", "/v1/me").status_code == 401
    form = {"code": link.partition("#")[2], "password": "four plain words here"}
    assert deployment.ask("POST", "/set-password", data=form).status_code == 403
    for path, body in (("/v1/tokens", {"description": "x", "user_email": READER}), (f"/v1/users/{READER}/link", None)):
        assert deployment.ask("POST", path, deployment.admin, body).status_code == 409


def test_whoever_is_activated_again_needs_a_new_token(deployment: Any, project: Any) -> None:
    for verb in ("deactivate", "deactivate", "activate", "activate"):
        deployment.done("POST", f"/v1/users/{READER}/{verb}", deployment.admin)
    assert deployment.ask("GET", "/v1/me", project.reader).status_code == 401
    new = deployment.token(READER)
    assert deployment.done("GET", project.path, new)["label"] == "customers"
    events = deployment.rows("SELECT event FROM audit WHERE event LIKE '%activate-user' ORDER BY seq")
    assert [row[0] for row in events] == ["deactivate-user", "activate-user"]


def test_a_role_that_is_changed_holds_at_the_next_request(deployment: Any, project: Any) -> None:
    assert deployment.ask("GET", "/v1/users", project.reader).status_code == 403
    deployment.done("PUT", f"/v1/users/{READER}/role", deployment.admin, {"role": "auditor"})
    assert deployment.ask("GET", "/v1/users", project.reader).is_success
    assert deployment.rows("SELECT target_label FROM audit WHERE event = 'update-user'") == [(f"{READER} auditor",)]


def test_who_is_not_there_is_not_found(shared_deployment: Any) -> None:
    nobody = "/v1/users/nobody@example.com"
    for method, path in (("GET", ""), ("POST", "/deactivate"), ("POST", "/activate"), ("POST", "/link")):
        assert shared_deployment.ask(method, nobody + path, shared_deployment.admin).status_code == 404
    body = {"role": "user"}
    assert shared_deployment.ask("PUT", nobody + "/role", shared_deployment.admin, body).status_code == 404


def test_a_project_keeps_an_owner_who_can_still_log_in(deployment: Any, project: Any) -> None:
    owner, admin = "customers-owner@example.com", "admin@example.com"
    second = deployment.user("second", role="admin")
    deployment.done("POST", f"/v1/users/{admin}/deactivate", second)  # the other owner
    path = f"{project.path}/contributors/{owner}"
    assert refused(deployment.ask("DELETE", path, project.owner)) == (409, "last-owner")


def test_a_service_account_has_tokens_and_no_way_to_log_in(deployment: Any, project: Any) -> None:
    body = {"email": "nightly@example.com", "name": "Nightly"}
    made = deployment.done("POST", f"{project.path}/workers", project.owner, body)
    assert (made["kind"], made["role"]) == ("service", "user")
    path = f"{project.path}/workers/nightly@example.com/tokens"
    token = deployment.done("POST", path, project.owner, {"description": "nightly run", "expires_in_days": 7})["token"]
    me = deployment.done("GET", "/v1/me", token)
    assert me["projects"] == [{"label": "customers", "role": "worker"}]
    assert refused(deployment.ask("POST", "/v1/users/nightly@example.com/link", deployment.admin)) == (409, "no-person")
    role = {"role": "admin"}
    assert refused(deployment.ask("PUT", "/v1/users/nightly@example.com/role", deployment.admin, role)) == (
        409,
        "service-account",
    )
    robot = {"email": "robot@example.com", "name": "Robot", "kind": "service", "role": "auditor"}
    assert deployment.ask("POST", "/v1/users", deployment.admin, robot).status_code == 422


def test_a_token_for_a_worker_ends_with_the_token_that_made_it(deployment: Any, project: Any) -> None:
    leaked = deployment.token("customers-owner@example.com", expires_in_days=1)
    deployment.done("POST", f"{project.path}/workers", leaked, {"email": "bot@example.com", "name": "Bot"})
    path, body = f"{project.path}/workers/bot@example.com/tokens", {"description": "x", "expires_in_days": 3650}
    ends = deployment.done("GET", "/v1/me", leaked)["expires_at"]
    assert deployment.done("POST", path, leaked, body)["expires_at"] == ends
    deployment.join("customers", "customers-reader", "project-owner")
    in_person = deployment.browser("customers-reader@example.com").ask("POST", path, body)
    assert in_person.json()["expires_at"] > "2036"


def test_an_owner_hands_out_tokens_only_for_service_accounts_of_his_project_alone(
    deployment: Any, project: Any
) -> None:
    other, body = deployment.project("other"), {"description": "x"}
    deployment.done("POST", f"{project.path}/workers", project.owner, {"email": "both@example.com", "name": "Both"})
    deployment.done("POST", f"{other.path}/workers", other.owner, {"email": "theirs@example.com", "name": "Theirs"})
    deployment.join("other", "both", "worker")
    for email in (
        "both@example.com",
        "theirs@example.com",
        READER,
        "customers-worker@example.com",
        "nobody@example.com",
    ):
        answer = deployment.ask("POST", f"{project.path}/workers/{email}/tokens", project.owner, body)
        assert refused(answer) == (404, "not-found"), email


@pytest.mark.parametrize("column", ["kind = 'person'", "deactivated_at = NULL"])
def test_what_a_user_is_cannot_be_changed_in_the_database_alone(deployment: Any, project: Any, column: str) -> None:
    deployment.done("POST", f"{project.path}/workers", project.owner, {"email": "bot@example.com", "name": "Bot"})
    deployment.done("POST", "/v1/users/bot@example.com/deactivate", deployment.admin)
    with deployment.app.state.coordinator.store.write() as session:
        session.execute(text(f"UPDATE users SET {column} WHERE email = 'bot@example.com'"))
        session.commit()
    assert refused(deployment.ask("GET", "/v1/users/bot@example.com", deployment.admin)) == (403, "tampered")
