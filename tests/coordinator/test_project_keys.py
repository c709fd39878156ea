from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from cape_airflow.keys.encoding import from_base64url


@pytest.fixture
def material(project: Any) -> Any:
    return lambda name="k": project.deployment.ask("GET", f"{project.path}/keys/{name}/material", project.worker)


def create(project: Any, **body: Any) -> Any:
    return project.deployment.ask("POST", f"{project.path}/keys", project.owner, {"name": "k"} | body)


@pytest.mark.parametrize("length", [32, 64])
def test_a_worker_gets_the_material_of_the_length_asked_for(project: Any, material: Any, length: int) -> None:
    assert create(project, bytes=length).status_code == 201
    key = material().json()
    assert (key["name"], key["primary"], list(key["versions"])) == ("k", 1, ["1"])
    assert len(from_base64url(key["versions"]["1"])) == length


@pytest.mark.parametrize("length", [0, 16, 33, 128, "32", 32.5])
def test_other_lengths_are_refused(shared_project: Any, length: Any) -> None:
    assert create(shared_project, bytes=length).status_code == 422


def test_no_two_keys_or_versions_are_equal_and_old_versions_stay_as_they_were(project: Any, material: Any) -> None:
    create(project)
    create(project, name="other")
    first = material().json()["versions"]["1"]
    for _ in range(3):
        project.deployment.done("POST", f"{project.path}/keys/k/rotate", project.owner)
    key = material().json()
    assert key["primary"] == 4
    assert key["versions"]["1"] == first
    assert len({*key["versions"].values(), material("other").json()["versions"]["1"]}) == 5


def test_the_metadata_shows_versions_and_no_material(project: Any, material: Any) -> None:
    create(project)
    listed = project.deployment.ask("GET", f"{project.path}/keys", project.reader)
    assert material().json()["versions"]["1"] not in listed.text
    [key] = listed.json()["items"]
    assert (key["name"], key["primary"]) == ("k", 1)
    assert [version["version"] for version in key["versions"]] == [1]


def test_a_name_is_taken_once_in_a_project_and_free_in_another(project: Any) -> None:
    create(project)
    assert create(project).json()["code"] == "already-exists"
    assert create(project.deployment.project("other")).status_code == 201


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "..", "ä", "x" * 201])
def test_a_name_fits_into_a_policy_and_a_url(shared_project: Any, name: str) -> None:
    assert create(shared_project, name=name).status_code == 422


def test_a_key_that_is_not_there_has_no_material_and_no_rotation(project: Any, material: Any) -> None:
    assert material().status_code == 404
    assert project.deployment.ask("POST", f"{project.path}/keys/k/rotate", project.owner).status_code == 404


def test_a_wrapped_key_copied_to_another_place_of_the_database_is_not_handed_out(project: Any, material: Any) -> None:
    create(project)
    create(project, name="other")
    with project.deployment.app.state.coordinator.store.write() as session:
        session.execute(
            text("UPDATE key_versions SET wrapped = (SELECT wrapped FROM key_versions ORDER BY seq LIMIT 1)")
        )
        session.commit()
    assert sorted(material(name).status_code for name in ("k", "other")) == [200, 500]


def test_rotations_at_the_same_moment_make_one_version_each(project: Any, material: Any) -> None:
    create(project)

    def rotate(_: int) -> int:
        path = f"{project.path}/keys/k/rotate"
        return int(project.deployment.ask("POST", path, project.owner).status_code)

    with project.deployment.http, ThreadPoolExecutor(4) as pool:
        assert set(pool.map(rotate, range(8))) == {200}
    assert sorted(material().json()["versions"], key=int) == [str(number) for number in range(1, 10)]


def change(project: Any, path: str, json: Any = None, method: str = "POST") -> Any:
    return project.deployment.ask(method, f"{project.path}/keys/k{path}", project.owner, json)


def versions(project: Any) -> dict[int, Any]:
    [key] = project.deployment.done("GET", f"{project.path}/keys", project.owner)["items"]
    return {row["version"]: row for row in key["versions"]}


@pytest.fixture
def rotated(project: Any) -> Any:
    """The project with a key at its third version."""
    create(project, bytes=64)
    for _ in range(2):
        assert change(project, "/rotate").is_success
    return project


def test_a_version_is_enabled_then_retired_then_destroyed(rotated: Any) -> None:
    rotated.deployment.clock.turn(hours=1)
    assert change(rotated, "/versions/1/retire").is_success
    rotated.deployment.clock.turn(hours=1)
    assert change(rotated, "/versions/1/destroy", {"confirm": "k"}).is_success
    first, second, third = versions(rotated).values()
    assert (first["state"], second["state"], third["state"]) == ("destroyed", "enabled", "enabled")
    assert first["created_at"] < first["retired_at"] < first["destroyed_at"]
    assert (second["retired_at"], second["destroyed_at"], second["receipt"]) == (None, None, None)


def test_the_primary_version_is_neither_retired_nor_destroyed(rotated: Any) -> None:
    assert change(rotated, "/versions/3/retire").json()["code"] == "primary-version"
    assert change(rotated, "/versions/3/destroy", {"confirm": "k"}).json()["code"] == "wrong-state"
    assert versions(rotated)[3]["state"] == "enabled"


def test_what_is_not_retired_is_not_destroyed_and_nothing_comes_back(rotated: Any) -> None:
    destroy = ("/versions/1/destroy", {"confirm": "k"})
    assert change(rotated, *destroy).json()["code"] == "wrong-state"
    change(rotated, "/versions/1/retire")
    assert change(rotated, "/versions/1/retire").json()["code"] == "wrong-state"
    change(rotated, *destroy)
    for again in (("/versions/1/retire",), destroy):
        assert change(rotated, *again).json()["code"] == "wrong-state"


def test_only_the_name_of_the_key_confirms_its_destruction(rotated: Any) -> None:
    change(rotated, "/versions/1/retire")
    for confirmation in ("", "K", "k ", "yes"):
        refused = change(rotated, "/versions/1/destroy", {"confirm": confirmation})
        assert (refused.status_code, refused.json()["code"]) == (409, "not-confirmed")
    assert versions(rotated)[1]["state"] == "retired"


def test_a_version_that_is_not_there_is_missing(rotated: Any) -> None:
    for number in ("0", "4", "-1", "9" * 30):
        assert change(rotated, f"/versions/{number}/retire").status_code == 404
        assert change(rotated, f"/versions/{number}/destroy", {"confirm": "k"}).status_code == 404


def test_the_audit_log_holds_the_receipt_of_a_destruction(rotated: Any) -> None:
    change(rotated, "/versions/1/retire")
    change(rotated, "/versions/1/destroy", {"confirm": "k"})
    entries = rotated.deployment.done("GET", "/v1/audit", rotated.deployment.admin)["items"]
    [entry] = [entry for entry in entries if entry["event"] == "destroy-key"]
    assert entry["target_id"] == versions(rotated)[1]["receipt"]
    assert len(entry["target_id"]) == 64
    assert (entry["user_email"], entry["target_label"]) == ("customers-owner@example.com", "k 1")
    assert entry["time"] == versions(rotated)[1]["destroyed_at"]


def test_the_material_of_a_destroyed_version_is_nowhere_in_the_database(rotated: Any) -> None:
    coordinator = rotated.deployment.app.state.coordinator
    query = "SELECT wrapped FROM key_versions WHERE version = 1"
    wrapped = bytes(rotated.deployment.rows(query)[0][0])
    change(rotated, "/versions/1/retire")
    change(rotated, "/versions/1/destroy", {"confirm": "k"})
    assert rotated.deployment.rows(query) == [(None,)]
    if coordinator.store.engine.dialect.name == "sqlite":
        rotated.deployment.close()  # the last connection writes the log back into the file
        files = coordinator.settings.folder.glob("coordinator.db*")
        assert not any(wrapped in file.read_bytes() for file in files)


def test_a_period_of_rotation_is_set_and_taken_back_and_told_when_it_comes_near(rotated: Any) -> None:
    clock = rotated.deployment.clock

    def listed() -> tuple[Any, bool]:
        [key] = rotated.deployment.done("GET", f"{rotated.path}/keys", rotated.owner)["items"]
        return key["rotation_due_at"], key["near_rotation"]

    assert listed() == (None, False)
    assert change(rotated, "", {"rotate_after_days": 80}, "PATCH").json()["rotate_after_days"] == 80
    due, near = listed()
    assert near is False
    assert due > clock().isoformat()
    clock.turn(days=67)
    assert listed() == (due, True)
    assert change(rotated, "/rotate").json()["near_rotation"] is False
    assert listed()[0] > due
    change(rotated, "", {"rotate_after_days": None}, "PATCH")
    assert listed() == (None, False)


@pytest.mark.parametrize("days", [0, -1, 3651, 1.5, "90", True])
def test_a_period_is_a_number_of_days(shared_project: Any, days: Any) -> None:
    assert change(shared_project, "", {"rotate_after_days": days}, "PATCH").status_code == 422
    assert create(shared_project, name="other", rotate_after_days=days).status_code == 422


def test_of_two_who_destroy_at_the_same_moment_one_does(rotated: Any) -> None:
    change(rotated, "/versions/1/retire")
    with rotated.deployment.http, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: change(rotated, "/versions/1/destroy", {"confirm": "k"}), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    events = [row.event for row in rotated.deployment.rows("SELECT event FROM audit")]
    assert events.count("destroy-key") == 1


class Lifecycle(RuleBasedStateMachine):
    """What a key may go through, against a model that is a list of states."""

    project: Any

    @initialize()
    def make(self) -> None:
        self.name = f"k-{secrets.token_hex(6)}"
        self.states = ["enabled"]
        assert create(self.project, name=self.name).status_code == 201

    def ask(self, path: str, json: Any = None) -> int:
        place = f"{self.project.path}/keys/{self.name}{path}"
        return int(self.project.deployment.ask("POST", place, self.project.owner, json).status_code)

    @rule()
    def rotate(self) -> None:
        assert self.ask("/rotate") == 200
        self.states.append("enabled")

    @rule(number=st.integers(1, 4))
    def retire(self, number: int) -> None:
        legal = number < len(self.states) and self.states[number - 1] == "enabled"
        assert self.ask(f"/versions/{number}/retire") == (200 if legal else 404 if number > len(self.states) else 409)
        if legal:
            self.states[number - 1] = "retired"

    @rule(number=st.integers(1, 4))
    def destroy(self, number: int) -> None:
        legal = number <= len(self.states) and self.states[number - 1] == "retired"
        status = self.ask(f"/versions/{number}/destroy", {"confirm": self.name})
        assert status == (200 if legal else 404 if number > len(self.states) else 409)
        if legal:
            self.states[number - 1] = "destroyed"

    @invariant()
    def a_worker_gets_what_is_enabled_and_the_newest_is_primary(self) -> None:
        place = f"{self.project.path}/keys/{self.name}/material"
        key = self.project.deployment.done("GET", place, self.project.worker)
        of = {state: [n for n, known in enumerate(self.states, 1) if known == state] for state in set(self.states)}
        assert key["primary"] == len(self.states)
        assert sorted(map(int, key["versions"])) == of["enabled"]
        assert (key["retired"], key["destroyed"]) == (of.get("retired", []), of.get("destroyed", []))


def test_S6_a_key_goes_through_its_states_as_the_model_says(shared_project: Any) -> None:
    Lifecycle.project = shared_project
    run_state_machine_as_test(Lifecycle, settings=settings(max_examples=10, stateful_step_count=12, deadline=None))
