from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cape_airflow.jobs import JobStart
from cape_airflow.links.pages import CapeJobLink, CapePolicyLink, CapeReviewLink, pages_of
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor

DIGEST, JOB = "ab" * 32, "0c" * 16
START = JobStart(
    job_id=JOB, policy_digest=DIGEST, engine="local", kernels="python", source="s", target="t",
    started_at=datetime(2026, 11, 21, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """`cape_default` is a coordinator on a machine of its own."""
    connect(monkeypatch, "cape.example.com")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example.com/ops")
    return monkeypatch


def connect(monkeypatch: pytest.MonkeyPatch, host: str, **extra: str) -> None:
    connection = {"conn_type": "cape", "host": host, "password": "token", "extra": json.dumps(extra)}
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(connection))


def operator(**given: Any) -> CapeTransformOperator:
    given = given or {"project": "pay roll"}
    return CapeTransformOperator(task_id="deidentify", source="/in.csv", target="/out.csv", **given)


def links(task: Any) -> dict[str, str]:
    return {link.name: link.get_link(task, ti_key=None) for link in task.operator_extra_links}


def test_a_task_links_to_its_job_its_policy_and_its_review() -> None:
    task = operator()
    task.told_of, task.suggestion_id = START, "suggestion-1"
    start = "https://cape.example.com/projects/pay%20roll"
    assert links(task) == {
        "Privacy job": f"{start}/jobs/{JOB}",
        "Privacy policy": f"{start}/policies/{DIGEST}",
        "Privacy review": f"{start}/suggestions/suggestion-1",
    }


def test_a_task_that_had_no_policy_links_to_the_one_in_force_and_to_all_suggestions() -> None:
    start = "https://cape.example.com/projects/pay%20roll"
    assert links(operator()) == {
        "Privacy job": "",
        "Privacy policy": f"{start}/policy",
        "Privacy review": f"{start}/suggestions",
    }


def test_a_task_without_a_project_has_no_links_and_asks_for_no_connection(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.delenv("AIRFLOW_CONN_CAPE_DEFAULT")
    task = operator(policy_file="/policy.yaml")
    task.told_of = START
    assert set(links(task).values()) == {""}


def test_the_sensor_links_to_what_it_waits_for() -> None:
    start = "https://cape.example.com/projects/customers/suggestions"
    assert links(CapePolicyApprovalSensor(task_id="a", project="customers")) == {"Privacy review": start}
    one = CapePolicyApprovalSensor(task_id="b", project="customers", suggestion_id="x/y")
    assert links(one) == {"Privacy review": f"{start}/x%2Fy"}


@pytest.mark.parametrize(
    ("host", "prefix", "pages"),
    [
        ("airflow-api.internal", "/ops/cape", "https://air.example.com/ops/cape"),
        ("airflow-api.internal", "/cape", "https://airflow-api.internal/cape"),
        ("cape.example.com", "", "https://cape.example.com"),
    ],
)
def test_the_embedded_coordinator_is_found_at_the_address_of_airflows_pages(
    host: str, prefix: str, pages: str, elsewhere: pytest.MonkeyPatch
) -> None:
    connect(elsewhere, host, path_prefix=prefix)
    assert pages_of("cape_default") == pages


def test_pages_with_an_address_of_their_own_are_found_there_without_a_look_at_the_connection(
    elsewhere: pytest.MonkeyPatch,
) -> None:
    elsewhere.setenv("AIRFLOW__CAPE__PAGES_URL", "https://privacy.example.com/")
    assert pages_of("cape_default") == "https://privacy.example.com"
    elsewhere.setenv("AIRFLOW_CONN_OTHER", elsewhere_connection())
    assert pages_of("other") == "https://other.example.com"


def elsewhere_connection() -> str:
    return json.dumps({"conn_type": "cape", "host": "other.example.com", "password": "token"})


def test_no_link_shows_a_token(elsewhere: pytest.MonkeyPatch) -> None:
    task = operator()
    task.told_of = START
    assert "token" not in str(links(task))


@pytest.mark.parametrize("link", [CapeJobLink, CapePolicyLink, CapeReviewLink])
def test_each_link_is_kept_under_a_name_of_its_own(link: type[CapeJobLink]) -> None:
    assert link().xcom_key.startswith("cape_")
