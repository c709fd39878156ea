from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
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
def test_other_lengths_are_refused(project: Any, length: Any) -> None:
    assert create(project, bytes=length).status_code == 422


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
def test_a_name_fits_into_a_policy_and_a_url(project: Any, name: str) -> None:
    assert create(project, name=name).status_code == 422


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
