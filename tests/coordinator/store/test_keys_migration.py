"""Revision 0006 with data: keys of before get seals at the start that brings them, and never later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.coordinator.store.restarts import started_again

KEYS = "/v1/projects/customers/keys"


@pytest.fixture
def keyed(project: Any) -> Any:
    """The project with key `k` in two versions, both enabled."""
    project.deployment.done("POST", KEYS, project.owner, {"name": "k", "rotate_after_days": 90})
    project.deployment.done("POST", f"{KEYS}/k/rotate", project.owner)
    return project


def material(deployment: Any, project: Any) -> Any:
    return deployment.ask("GET", f"{KEYS}/k/material", project.worker)


def test_A9_keys_of_before_are_sealed_and_handed_out_as_they_were(keyed: Any) -> None:
    before = material(keyed.deployment, keyed).json()
    fresh = started_again(keyed.deployment, revision="0005")
    assert material(fresh, keyed).json() == before
    [key] = fresh.done("GET", KEYS, keyed.owner)["items"]
    assert (key["rotate_after_days"], [row["state"] for row in key["versions"]]) == (None, ["enabled", "enabled"])
    fresh.close()


def test_a_seal_that_is_taken_away_later_is_not_put_back_by_a_start(keyed: Any) -> None:
    for table in ("key_versions", "project_keys"):
        empty = "''" if keyed.deployment.app.state.coordinator.store.engine.dialect.name == "postgresql" else "x''"
        fresh = started_again(keyed.deployment, f"UPDATE {table} SET seal = {empty}")
        assert material(fresh, keyed).json()["code"] == "tampered"
        fresh.close()


def test_A9_what_ended_goes_when_it_is_brought_down_and_does_not_come_back_up(keyed: Any) -> None:
    deployment = keyed.deployment
    deployment.done("POST", f"{KEYS}/k/rotate", keyed.owner)
    for number in (1, 2):
        deployment.done("POST", f"{KEYS}/k/versions/{number}/retire", keyed.owner)
    deployment.done("POST", f"{KEYS}/k/versions/1/destroy", keyed.owner, {"confirm": "k"})
    fresh = started_again(deployment, revision="0005")
    assert fresh.rows("SELECT version, state FROM key_versions ORDER BY version") == [(2, "enabled"), (3, "enabled")]
    assert material(fresh, keyed).json()["code"] == "tampered"  # the log remembers that version 2 was retired
    fresh.done("POST", f"{KEYS}/k/versions/2/retire", keyed.owner)
    assert list(material(fresh, keyed).json()["versions"]) == ["3"]
    fresh.close()


def test_a_worker_with_a_grant_is_refused_after_a_downgrade_until_he_joins_anew(keyed: Any) -> None:
    path = "/v1/projects/customers/contributors/customers-worker@example.com"
    keyed.deployment.done("PUT", f"{path}/reveal", keyed.owner, {"may_reveal": True})
    fresh = started_again(keyed.deployment, revision="0005")
    assert material(fresh, keyed).json()["code"] == "tampered"  # his seal says that he may, and the row forgot it
    fresh.done("DELETE", path, keyed.owner)
    fresh.done("PUT", path, keyed.owner, {"role": "worker"})
    assert material(fresh, keyed).json()["may_reveal"] is False
    fresh.close()
