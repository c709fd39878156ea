"""Who gets a key, over which line, and what an attacker in the database can bring back: nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

PROJECT = "/v1/projects/customers"
GRANT = f"{PROJECT}/contributors/customers-worker@example.com/reveal"
TAMPERED = (403, "tampered")


@pytest.fixture
def keyed(project: Any) -> Any:
    """The project with key `k`: version 1 enabled, version 2 primary."""
    return with_key(project)


@pytest.fixture(scope="module")
def shared_keyed(shared_project: Any) -> Any:
    """The same, for tests that leave it as it is."""
    return with_key(shared_project)


def with_key(project: Any) -> Any:
    project.deployment.done("POST", f"{project.path}/keys", project.owner, {"name": "k"})
    owner_does(project, "/rotate")
    return project


def owner_does(project: Any, path: str, json: Any = None) -> Any:
    return project.deployment.done("POST", f"{project.path}/keys/k{path}", project.owner, json)


def fetch(project: Any) -> Any:
    return project.deployment.ask("GET", f"{project.path}/keys/k/material", project.worker)


def reveal(project: Any, **body: Any) -> Any:
    wanted = {"purpose": "a complaint of a customer", "row_limit": 1000} | body
    return project.deployment.ask("POST", f"{project.path}/keys/k/reveal", project.worker, wanted)


def grant(project: Any, may_reveal: bool = True) -> Any:
    return project.deployment.done("PUT", GRANT, project.owner, {"may_reveal": may_reveal})


def edit(project: Any, *statements: str, **values: Any) -> None:
    with project.deployment.app.state.coordinator.store.write() as session:
        for statement in statements:
            assert session.execute(text(statement), values).rowcount > 0
        session.commit()


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("url", "client", "status"),
    [
        ("http://cape.example.com", "203.0.113.7", 403),
        ("https://cape.example.com", "203.0.113.7", 200),
        ("http://cape.example.com", "127.0.0.1", 200),
        ("http://cape.example.com", "127.8.0.1", 200),
        ("http://cape.example.com", "::1", 200),
        ("http://cape.example.com", "::ffff:127.0.0.1", 200),
        ("http://cape.example.com", "::ffff:203.0.113.7", 403),
        ("http://localhost", "10.0.0.1", 403),
        ("http://cape.example.com", "localhost", 403),
    ],
)
def test_a_key_goes_over_tls_or_stays_on_the_machine(shared_keyed: Any, url: str, client: str, status: int) -> None:
    http = TestClient(shared_keyed.deployment.app, base_url=url, client=(client, 50000))
    answer = http.get(f"{PROJECT}/keys/k/material", headers={"Authorization": f"Bearer {shared_keyed.worker}"})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "insecure-transport"
        assert "versions" not in answer.text


def test_headers_of_a_client_do_not_make_a_line_private(shared_keyed: Any) -> None:
    http = TestClient(shared_keyed.deployment.app, base_url="http://cape.example.com", client=("203.0.113.7", 50000))
    claims = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", "Forwarded": "proto=https"}
    headers = {"Authorization": f"Bearer {shared_keyed.worker}"} | claims
    assert refusal(http.get(f"{PROJECT}/keys/k/material", headers=headers)) == (403, "insecure-transport")


def test_who_may_not_have_the_key_is_told_that_before_anything_of_the_line(shared_keyed: Any) -> None:
    http = TestClient(shared_keyed.deployment.app, base_url="http://cape.example.com", client=("203.0.113.7", 50000))
    for token, status in ((shared_keyed.owner, 403), ("nobody", 401)):
        answer = http.get(f"{PROJECT}/keys/k/material", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, "insecure" in answer.text) == (status, False)


def test_each_hand_over_is_recorded_with_who_what_for_and_how_many_rows(keyed: Any) -> None:
    fetch(keyed)
    grant(keyed)
    fetch(keyed)
    reveal(keyed)
    entries = keyed.deployment.done("GET", "/v1/audit", keyed.deployment.admin)["items"]
    told = [(entry["event"], entry["target_label"]) for entry in entries if entry["event"].endswith("-key")]
    assert told[:3] == [
        ("reveal-key", "k 2, at most 1,000 rows: a complaint of a customer"),
        ("read-key", "k 2"),
        ("read-key", "k 2"),
    ]
    assert entries[0]["user_email"] == "customers-worker@example.com"


def test_a_worker_may_apply_keys_and_reveals_only_when_an_owner_lets_him(keyed: Any) -> None:
    assert refusal(reveal(keyed)) == (403, "may-not-reveal")
    assert grant(keyed)["may_reveal"] is True
    assert reveal(keyed).json()["may_reveal"] is True
    grant(keyed, False)
    assert refusal(reveal(keyed)) == (403, "may-not-reveal")
    events = [row.event for row in keyed.deployment.rows("SELECT event FROM audit ORDER BY seq")]
    told = [event for event in events if "reveal" in event]
    assert told == ["grant-reveal", "reveal-key", "withdraw-reveal"]


def test_nobody_reveals_who_does_not_say_what_for(keyed: Any) -> None:
    grant(keyed)
    assert fetch(keyed).json()["may_reveal"] is False
    for wrong in (
        {"purpose": " "},
        {"purpose": "x" * 201},
        {"purpose": "two\nlines"},
        {"row_limit": 0},
        {"row_limit": True},
    ):
        assert reveal(keyed, **wrong).status_code == 422
    assert not keyed.deployment.rows("SELECT event FROM audit WHERE event = 'reveal-key'")


def test_a_key_is_revealed_over_no_open_line(keyed: Any) -> None:
    grant(keyed)
    http = TestClient(keyed.deployment.app, base_url="http://cape.example.com", client=("203.0.113.7", 50000))
    headers, body = {"Authorization": f"Bearer {keyed.worker}"}, {"purpose": "x", "row_limit": 1}
    answer = http.post(f"{PROJECT}/keys/k/reveal", headers=headers, json=body)
    assert refusal(answer) == (403, "insecure-transport")
    assert not keyed.deployment.rows("SELECT event FROM audit WHERE event = 'reveal-key'")


def test_a_retired_version_is_only_for_those_who_reveal_and_a_destroyed_one_for_nobody(keyed: Any) -> None:
    owner_does(keyed, "/versions/1/retire")
    grant(keyed)
    applied = fetch(keyed).json()
    assert (list(applied["versions"]), applied["retired"]) == (["2"], [1])
    assert list(reveal(keyed).json()["versions"]) == ["1", "2"]
    owner_does(keyed, "/versions/1/destroy", {"confirm": "k"})
    revealing = reveal(keyed).json()
    assert (list(revealing["versions"]), revealing["retired"], revealing["destroyed"]) == (["2"], [], [1])


def test_the_grant_is_for_workers_of_the_project_and_ends_with_the_membership(keyed: Any) -> None:
    deployment = keyed.deployment
    for email, wanted in (("customers-reader@example.com", (409, "not-a-worker")), ("x@y.z", (404, "not-found"))):
        path = f"{PROJECT}/contributors/{email}/reveal"
        assert refusal(deployment.ask("PUT", path, keyed.owner, {"may_reveal": True})) == wanted
    grant(keyed)
    deployment.done("DELETE", GRANT.removesuffix("/reveal"), keyed.owner)
    keyed.join("customers-worker", "worker")
    assert refusal(reveal(keyed)) == (403, "may-not-reveal")


def test_a_worker_that_is_made_a_worker_again_keeps_his_grant(keyed: Any) -> None:
    grant(keyed)
    keyed.join("customers-worker", "worker")
    assert reveal(keyed).json()["may_reveal"] is True


def test_a_grant_put_into_the_database_by_hand_is_refused(keyed: Any) -> None:
    edit(keyed, "UPDATE contributors SET may_reveal = :yes WHERE role = 'worker'", yes=True)
    assert refusal(fetch(keyed)) == TAMPERED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE key_versions SET state = 'enabled' WHERE version = 1",
        "UPDATE key_versions SET state = 'retired' WHERE version = 2",
        "UPDATE project_keys SET primary_version = 1",
        "UPDATE project_keys SET length = 16",
        "UPDATE project_keys SET name = 'k2'",
        "UPDATE key_versions SET created_at = '2020-01-01 00:00:00'",
        "UPDATE key_versions SET seal = (SELECT seal FROM key_versions WHERE version = 2) WHERE version = 1",
    ],
)
def test_a_key_that_was_edited_by_hand_is_refused_to_everybody(keyed: Any, statement: str) -> None:
    owner_does(keyed, "/versions/1/retire")
    edit(keyed, statement)
    name = "k2" if "name" in statement else "k"
    ask, path = keyed.deployment.ask, f"{PROJECT}/keys"
    assert refusal(ask("GET", f"{path}/{name}/material", keyed.worker)) == TAMPERED
    assert refusal(ask("POST", f"{path}/{name}/rotate", keyed.owner)) == TAMPERED
    assert refusal(ask("GET", path, keyed.reader)) == TAMPERED


def rows_of(project: Any) -> list[dict[str, Any]]:
    query = text("SELECT * FROM key_versions ORDER BY version")
    with project.deployment.app.state.coordinator.store.read() as session:
        return [dict(row) for row in session.execute(query).mappings()]


def put_back(project: Any, row: dict[str, Any]) -> None:
    columns = ("state", "wrapped", "retired_at", "destroyed_at", "seal")
    given = {name: row[name] for name in (*columns, "seq")}
    edit(project, f"UPDATE key_versions SET {', '.join(f'{n} = :{n}' for n in columns)} WHERE seq = :seq", **given)


@pytest.mark.parametrize("steps", [["/retire"], ["/retire", "/destroy"]])
@pytest.mark.parametrize("may_reveal", [False, True])
def test_an_older_state_of_a_version_put_back_with_its_seal_is_refused(
    keyed: Any, steps: list[str], may_reveal: bool
) -> None:
    grant(keyed, may_reveal)
    kept = []
    for step in steps:
        kept.append(rows_of(keyed)[0])
        owner_does(keyed, f"/versions/1{step}", {"confirm": "k"} if step == "/destroy" else None)
    for row in kept:
        put_back(keyed, row)
        assert refusal(reveal(keyed) if may_reveal else fetch(keyed)) == TAMPERED


def test_a_rotation_undone_in_the_database_is_refused(keyed: Any) -> None:
    query = "SELECT primary_version, seal FROM project_keys"
    [(primary, seal)] = keyed.deployment.rows(query)
    owner_does(keyed, "/rotate")
    edit(
        keyed,
        "DELETE FROM key_versions WHERE version = 3",
        "UPDATE project_keys SET primary_version = :primary, seal = :seal",
        primary=primary,
        seal=seal,
    )
    assert refusal(fetch(keyed)) == TAMPERED


def test_material_put_back_under_a_destroyed_version_is_not_handed_out(keyed: Any) -> None:
    grant(keyed)
    wrapped = rows_of(keyed)[0]["wrapped"]
    owner_does(keyed, "/versions/1/retire")
    owner_does(keyed, "/versions/1/destroy", {"confirm": "k"})
    edit(keyed, "UPDATE key_versions SET wrapped = :wrapped WHERE version = 1", wrapped=wrapped)
    assert list(reveal(keyed).json()["versions"]) == ["2"]


def test_material_taken_away_by_hand_is_refused(keyed: Any) -> None:
    edit(keyed, "UPDATE key_versions SET wrapped = NULL WHERE version = 1")
    assert refusal(fetch(keyed)) == TAMPERED


def test_what_happens_to_one_key_does_not_end_another_of_the_same_name(keyed: Any) -> None:
    deployment, other = keyed.deployment, keyed.deployment.project("other")
    deployment.done("POST", f"{other.path}/keys", other.owner, {"name": "k"})
    owner_does(keyed, "/versions/1/retire")
    owner_does(keyed, "/versions/1/destroy", {"confirm": "k"})
    deployment.clock.now += timedelta(seconds=1)
    assert list(fetch(other).json()["versions"]) == ["1"]
