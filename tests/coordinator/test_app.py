from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient


def test_a_mounted_coordinator_serves_whether_its_lifespan_is_run_or_not(deployment: Any, project: Any) -> None:
    parent = FastAPI()
    parent.mount("/cape", deployment.app)
    token = {"Authorization": f"Bearer {project.reader}"}
    for client in (TestClient(parent), TestClient(parent).__enter__()):
        assert client.get("/cape/v1/health").json() == {"status": "ok"}
        assert client.get("/cape/v1/me").status_code == 401
        assert client.get("/cape/v1/projects/customers", headers=token).json()["label"] == "customers"
        assert client.get("/cape/v1/nothing").json()["code"] == "not-found"


def test_a_coordinator_serves_again_after_its_lifespan_ended(deployment: Any) -> None:
    for _ in range(2):
        with TestClient(deployment.app) as client:
            assert client.get("/v1/me", headers={"Authorization": f"Bearer {deployment.admin}"}).is_success


def test_two_coordinators_on_one_database_are_one_service(maker: Any, prepared: Any) -> None:
    first = maker.deployment()
    second = type(first)(first.settings, first.admin, first.clock)
    token = first.user("both")
    assert second.done("GET", "/v1/me", token)["email"] == "both@example.com"
    second.close()


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/v1/docs"])
def test_the_api_is_described_to_nobody_without_a_token(path: str, shared_deployment: Any) -> None:
    assert shared_deployment.ask("GET", path).status_code == 404
    assert shared_deployment.ask("GET", "/v1/openapi.json").status_code == 401


def test_the_api_describes_itself_to_users(shared_deployment: Any, examples: Any) -> None:
    described = shared_deployment.done("GET", "/v1/openapi.json", shared_deployment.admin)["paths"]
    routes = {(method.upper(), path) for path, methods in described.items() for method in methods}
    ours = {place for place in examples if place[1].startswith("/v1/")}
    assert routes == ours | {("DELETE", "/v1/tokens/{id}")}


def test_health_and_version_ask_no_database(deployment: Any) -> None:
    deployment.app.state.coordinator.store.engine.pool._creator = None
    assert deployment.ask("GET", "/v1/health").json() == {"status": "ok"}
    assert set(deployment.ask("GET", "/v1/version").json()) == {"version"}


@pytest.mark.integration
def test_it_serves_over_real_http(served: Any, prepared: Any) -> None:
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {prepared.admin}"}) as client:
        made = client.post("/v1/projects", json={"name": "real"})
        assert (made.status_code, made.headers["content-type"]) == (201, "application/json")
        assert client.get("/v1/projects/real").json() == made.json()
        address = client.get("/v1/audit").json()["items"][0]["client_address"]
        assert address == "127.0.0.1"


def test_importing_cape_airflow_does_not_import_the_coordinator() -> None:
    program = "import sys, cape_airflow; print([m for m in ('fastapi', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
