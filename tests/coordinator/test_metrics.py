from __future__ import annotations

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from cape_airflow.coordinator.metrics import exposed
from tests.coordinator.audit.conftest import Log


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and values of labels, in the order of the labels' names, to value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(deployment: Any) -> dict[tuple[str, ...], float]:
    return samples(deployment.ask("GET", "/metrics", deployment.admin).text)


def test_requests_are_counted_by_their_route_and_status_not_by_what_was_asked(project: Any) -> None:
    deployment = project.deployment
    for name in ("customers", "nowhere"):
        deployment.ask("GET", f"/v1/projects/{name}", project.reader)
    deployment.ask("GET", "/v1/no-such-route-canary", project.reader)
    found = scraped(deployment)
    assert found["cape_requests_total", "GET", "/v1/projects/{label}", "200"] == 1
    assert found["cape_requests_total", "GET", "/v1/projects/{label}", "404"] == 1
    assert found["cape_requests_total", "GET", "unmatched", "404"] == 1
    assert found["cape_request_seconds_count", "GET", "/v1/projects/{label}"] == 2
    assert not any("canary" in part or "customers" in part for key in found for part in key)


def test_the_state_of_jobs_approvals_and_the_log_is_shown(project: Any) -> None:
    deployment = project.deployment
    digest = project.approved()["digest"]
    for number in range(3):
        body = project.job(digest, f"{number:032x}")
        deployment.done("PUT", f"{project.path}/jobs/{number:032x}", project.worker, body)
    project.suggest()
    Log(deployment).follow()
    deployment.clock.turn(seconds=30)
    found = scraped(deployment)
    assert found["cape_jobs", "running"] == 3
    assert found["cape_jobs", "failed"] == 0
    assert found[("cape_suggestions_waiting",)] == 1
    assert found[("cape_audit_rows",)] == deployment.rows("SELECT max(seq) FROM audit")[0][0]
    assert found[("cape_audit_checkpoint_age_seconds",)] == 30
    assert found["cape_audit_trouble", "checkpoints"] == 0


def test_a_log_that_was_changed_shows_as_trouble(deployment: Any) -> None:
    log = Log(deployment)
    log.tamper("UPDATE audit SET event = 'forged' WHERE seq = 3")
    log.follow()
    found = scraped(log.deployment)
    assert found["cape_audit_trouble", "checkpoints"] == 1
    assert found["cape_audit_behind", "checkpoints"] > 0


def test_whoever_is_not_logged_in_is_refused_and_not_sent_to_a_page(deployment: Any) -> None:
    assert deployment.ask("GET", "/metrics", follow_redirects=False).status_code == 401


def test_a_port_of_its_own_answers_without_a_token_where_the_settings_say_so(deployment: Any, free_port: int) -> None:
    with exposed(deployment.app.state.metrics, f"127.0.0.1:{free_port}"):
        text = httpx.get(f"http://127.0.0.1:{free_port}/metrics").text
    assert ("cape_audit_rows",) in samples(text)
