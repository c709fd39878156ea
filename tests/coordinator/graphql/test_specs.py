"""The approved policy with its keys, as it is handed to Cape's clients."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

SPEC = "query CurrentSpec($label: ModelLabel!) { project(label: $label) { current_spec { id rules transformations } } }"
KEYED = """\
label: customers
rules:
  - match: {name: email}
    actions:
      - transform: {type: KIND, key: {ref: k}}
"""
REVEAL = "/v1/projects/customers/contributors/customers-worker@example.com/reveal"


def fetch(project: Any, token: str | None = None) -> Any:
    body = {"query": SPEC, "variables": {"label": project.label}}
    return project.deployment.ask("POST", "/v1/query", token or project.worker, body)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


def with_key(project: Any, kind: str = "tokenizer") -> None:
    project.deployment.done("POST", f"{project.path}/keys", project.owner, {"name": "k"})
    project.approved(KEYED.replace("KIND", kind))


def events(project: Any, event: str) -> list[Any]:
    return list(project.deployment.rows(f"SELECT user_email, target_id FROM audit WHERE event = '{event}'"))


def test_a_worker_gets_the_primary_version_of_the_key_and_both_reads_are_recorded(project: Any) -> None:
    with_key(project)
    project.deployment.done("POST", f"{project.path}/keys/k/rotate", project.owner)
    handed = project.deployment.done("GET", f"{project.path}/keys/k/material", project.worker)
    before = len(events(project, "read-key"))
    [named] = fetch(project).json()["data"]["project"]["current_spec"]["transformations"]
    assert named["key"] == {"type": "secret", "name": "k", "value": handed["versions"]["2"]}
    assert len(urlsafe_b64decode(named["key"]["value"] + "==")) == 32
    assert events(project, "read-key")[before:] == [("customers-worker@example.com", "k")]
    assert events(project, "read-policy")[-1][0] == "customers-worker@example.com"


@pytest.mark.parametrize("principal", ["owner", "contributor", "reader", "admin", "auditor"])
def test_who_is_no_worker_gets_no_policy_that_names_keys(project: Any, principal: str) -> None:
    with_key(project)
    auditor = project.deployment.user("eve", role="auditor")
    token = {"admin": project.deployment.admin, "auditor": auditor}.get(principal) or getattr(project, principal)
    answer = fetch(project, token)
    assert refusal(answer) == (403, "forbidden")
    assert not events(project, "read-key")


def test_a_key_goes_over_no_open_line(project: Any) -> None:
    with_key(project)
    http = TestClient(project.deployment.app, base_url="http://cape.example.com", client=("203.0.113.7", 50000))
    body = {"query": SPEC, "variables": {"label": project.label}}
    answer = http.post("/v1/query", json=body, headers={"Authorization": f"Bearer {project.worker}"})
    assert refusal(answer) == (403, "insecure-transport")
    assert not events(project, "read-key")


def test_a_policy_without_keys_is_for_all_who_may_fetch_policies(project: Any) -> None:
    project.approved("rules:\n- match: {name: a}\n  actions: [drop]\n")
    auditor = project.deployment.user("eve", role="auditor")
    for token in (project.owner, project.contributor, project.reader, project.worker, auditor):
        assert fetch(project, token).status_code == 200


def test_tokens_are_turned_back_only_by_a_worker_who_may_reveal(project: Any) -> None:
    with_key(project, "token-reverser")
    assert refusal(fetch(project)) == (403, "may-not-reveal")
    assert not events(project, "reveal-key")
    project.deployment.done("PUT", REVEAL, project.owner, {"may_reveal": True})
    assert fetch(project).status_code == 200


def test_a_key_that_is_not_there_is_refused(project: Any) -> None:
    project.approved(KEYED.replace("KIND", "tokenizer"))
    assert refusal(fetch(project)) == (404, "not-found")


def test_a_project_without_a_policy_says_so(project: Any) -> None:
    assert refusal(fetch(project)) == (404, "no-approved-policy")


def test_no_policy_of_version_2_is_served(project: Any) -> None:
    project.approved()
    answer = fetch(project)
    assert refusal(answer) == (409, "not-for-old-clients")
    assert answer.json()["data"] is None
    assert not events(project, "read-policy")


def test_an_approval_that_has_run_out_counts_no_more(project: Any) -> None:
    rule = {"quorum": {"project-owner": 1}, "valid_days": 1}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)
    project.approved("rules:\n- match: {name: a}\n  actions: [drop]\n")
    assert fetch(project).status_code == 200
    project.deployment.clock.turn(days=1)
    assert refusal(fetch(project)) == (409, "approval-expired")


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE suggestions SET policy = replace(policy, 'email', 'phone')",
        "UPDATE approvals SET signature = (SELECT public_key FROM signing_keys)",
        "UPDATE approvals SET digest = replace(digest, '0', '1')",
        "UPDATE approvals SET document = replace(CAST(document AS TEXT), 'T', 't')::json",
    ],
)
def test_D4_a_policy_that_was_edited_in_the_database_is_not_served(project: Any, edit: str, kind: str) -> None:
    if kind == "sqlite":
        edit = edit.removesuffix("::json").replace("CAST(document AS TEXT)", "document")
    project.approved("rules:\n- match: {name: email}\n  actions: [drop]\n")
    with project.deployment.app.state.coordinator.store.write() as session:
        assert session.execute(text(edit)).rowcount == 1
        session.commit()
    assert refusal(fetch(project)) == (403, "tampered")
