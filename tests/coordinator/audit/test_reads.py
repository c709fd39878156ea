"""Every read of a policy is one row, by the server, before the answer leaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cape_airflow.coordinator.audit.reads import READS
from cape_airflow.coordinator.permissions import PERMISSIONS, ProjectRole

API = sorted(path for path in READS if ("GET", path) in PERMISSIONS and path.startswith("/v1/"))
NEWEST = "SELECT event, user_email, project, target_type, target_id, target_label FROM audit ORDER BY seq DESC LIMIT 1"


def count(deployment: Any) -> int:
    return int(deployment.rows("SELECT count(*) FROM audit")[0][0])


def test_the_routes_that_are_recorded_exist() -> None:
    declared = {path for method, path in PERMISSIONS if method == "GET"}
    assert {path for path in READS if path.startswith("/v1/")} & declared
    unknown = {path.removeprefix("/v1") for path in READS} - {path.removeprefix("/v1") for path in declared}
    assert unknown == set()


@pytest.mark.parametrize("path", API)
def test_L3_reading_is_recorded_once_and_with_who_read(path: str, shared_project: Any, examples: Any) -> None:
    deployment = shared_project.deployment
    place, _ = examples["GET", path](shared_project)
    reader = shared_project.worker if ProjectRole.WORKER in PERMISSIONS["GET", path].roles else shared_project.reader
    before = count(deployment)
    deployment.done("GET", place, reader)
    assert count(deployment) == before + 1
    event, email, project, *_ = deployment.rows(NEWEST)[0]
    assert (event, project) == (READS[path], "customers")
    assert email in ("customers-worker@example.com", "customers-reader@example.com")


def test_the_row_of_a_policy_names_its_digest_also_where_the_reader_has_it_already(project: Any) -> None:
    digest = project.approved()["digest"]
    place = f"{project.path}/policy"
    answer = project.deployment.ask("GET", place, project.worker)
    assert project.deployment.rows(NEWEST)[0][5].startswith(digest)
    before = count(project.deployment)
    again = project.deployment.ask("GET", place, project.worker, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert count(project.deployment) == before + 1


def test_a_read_that_is_refused_is_not_a_read(project: Any) -> None:
    before = count(project.deployment)
    assert project.deployment.ask("GET", f"{project.path}/policy", project.worker).status_code == 404
    assert count(project.deployment) == before


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_B7_what_cannot_be_recorded_is_not_answered(project: Any) -> None:
    project.approved()
    store = project.deployment.app.state.coordinator.store
    with store.connect_for_writing() as other, other.begin():  # holds the only place that SQLite has for a writer
        answer = project.deployment.ask("GET", f"{project.path}/policy", project.worker)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "policy" not in answer.json()


def test_reads_at_the_same_moment_are_each_recorded(project: Any, log: Any) -> None:
    project.approved()
    before = count(project.deployment)

    def ask(_: int) -> int:
        return int(project.deployment.ask("GET", f"{project.path}/policy", project.worker).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(40))) == {200}
    assert count(project.deployment) == before + 40
    assert log.verify().intact
