from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text


def test_a_replica_is_ready_while_the_database_has_its_schema(deployment: Any) -> None:
    assert deployment.ask("GET", "/v1/ready").json() == {"status": "ready"}
    with deployment.app.state.coordinator.store.write() as session:
        session.execute(text("UPDATE alembic_version_cape SET version_num = '9999'"))
        session.commit()
    answer = deployment.ask("GET", "/v1/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert deployment.ask("GET", "/v1/health").is_success, "it lives, and is not to be killed for that"


@pytest.mark.integration
def test_a_replica_is_not_ready_while_the_database_is_down(mortal_postgresql: Any, deploy_on: Any) -> None:
    deployment = deploy_on(mortal_postgresql.database())
    assert deployment.ask("GET", "/v1/ready").is_success
    mortal_postgresql.control("stop", "-m", "immediate")
    assert deployment.ask("GET", "/v1/ready").status_code == 503
    mortal_postgresql.control("start")
    assert deployment.ask("GET", "/v1/ready").is_success
