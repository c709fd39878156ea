from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from cape_airflow.coordinator.logs import JsonLines

LOGGER = "cape_airflow.coordinator.logs"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """Return what a log of JSON lines holds about requests since the test began."""
    caplog.set_level(logging.INFO, LOGGER)
    return lambda: [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == LOGGER]


def test_a_request_is_one_line_with_its_route_status_time_and_user(lines: Any, deployment: Any, project: Any) -> None:
    me = deployment.done("GET", "/v1/me", project.reader)
    answer = deployment.ask("GET", "/v1/projects/customers?limit=1", project.reader)
    line = lines()[-1]
    assert set(line) == {"time", "level", "logger", "request_id", "method", "route", "status", "ms", "user_id"}
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/projects/{label}", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["user_id"] == me["id"]
    assert 0 < line["ms"] < 60_000


def test_refused_requests_are_lines_too_and_name_their_user_where_he_is_known(
    lines: Any, deployment: Any, project: Any
) -> None:
    me = deployment.done("GET", "/v1/me", project.worker)
    deployment.ask("PATCH", "/v1/projects/customers", project.worker, {})
    deployment.ask("GET", "/v1/me", "nobody")
    deployment.ask("GET", "/no/such/route", project.worker)
    found = [(line["status"], line["route"], line["user_id"]) for line in lines()[-3:]]
    assert found == [(403, "/v1/projects/{label}", me["id"]), (401, "/v1/me", None), (404, None, None)]


def test_S1_no_line_holds_what_was_asked_for_or_sent(
    lines: Any, caplog: pytest.LogCaptureFixture, deployment: Any, project: Any
) -> None:
    canary = "canary0451"
    token = project.owner.partition(",")[2]
    headers = {"X-Canary": canary, "X-Request-ID": canary, "User-Agent": canary, "Cookie": f"a={canary}"}
    paths = (f"/v1/projects/{canary}", f"/v1/users?after={canary}", f"/{canary}", f"/v1/tokens/{canary}?{canary}=1")
    for path in paths:
        for method in ("GET", "POST", "DELETE", canary.upper()):
            deployment.ask(method, path, project.owner, {"email": canary, canary: canary}, headers=headers)
    assert len(lines()) >= 16
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]  # the client's, which asks
    said = json.dumps(lines()) + str([record.__dict__ | {"said": record.getMessage()} for record in ours])
    assert canary not in said.lower()
    assert token not in said


def test_what_is_no_request_keeps_its_message_and_traceback_in_one_line() -> None:
    logger = logging.getLogger("somewhere")
    try:
        raise ValueError("broken")
    except ValueError as error:
        record = logger.makeRecord(
            "somewhere", logging.ERROR, __file__, 1, "it\nis %s", ("bad",), (ValueError, error, error.__traceback__)
        )
    written = JsonLines().format(record)
    assert "\n" not in written
    line = json.loads(written)
    assert (line["level"], line["logger"], line["message"]) == ("error", "somewhere", "it\nis bad")
    assert "ValueError: broken" in line["traceback"]
