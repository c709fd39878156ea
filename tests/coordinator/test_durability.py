"""A8: the database may go away and come back; for the service itself see `audit/test_kill.py`."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def test_A8_the_coordinator_says_503_while_postgresql_is_down_and_recovers_with_it(
    mortal_postgresql: Any, deploy_on: Any
) -> None:
    deployment = deploy_on(mortal_postgresql.database())
    assert deployment.ask("GET", "/v1/me", deployment.admin).is_success
    for number in range(3):
        mortal_postgresql.control("stop", "-m", "immediate")
        answer = deployment.ask("GET", "/v1/me", deployment.admin)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert deployment.ask("GET", "/v1/health").is_success
        mortal_postgresql.control("start")
        began = time.monotonic()
        while not deployment.ask("POST", "/v1/projects", deployment.admin, {"name": f"p{number}"}).is_success:
            assert time.monotonic() - began < 5
    assert deployment.rows("SELECT label FROM projects ORDER BY seq") == [("p0",), ("p1",), ("p2",)]
