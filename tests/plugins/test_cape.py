from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse
from airflow.plugins_manager import is_valid_plugin
from starlette.testclient import TestClient

from cape_airflow.plugins.cape import RETRY_SECONDS, CapePlugin, EmbeddedCoordinator

API_SERVER = "airflow.api_fastapi.main"


@pytest.fixture
def api_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As in the API server's process, with `[cape] home` in a folder of its own."""
    monkeypatch.setitem(sys.modules, API_SERVER, sys)
    monkeypatch.setenv("AIRFLOW__CAPE__HOME", str(tmp_path / "cape"))
    return tmp_path / "cape"


def test_airflow_takes_it_for_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.plugins_manager.plugins", [], raising=False)  # those that 3.1 has found so far
    assert is_valid_plugin(CapePlugin)


def test_outside_the_api_server_the_plugin_mounts_nothing_and_imports_nothing_heavy() -> None:
    script = (
        "import sys, cape_airflow.plugins.cape as cape; assert cape.CapePlugin().fastapi_apps == [];"
        "print(*sorted({'cape_airflow.coordinator', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""  # the lines before are Airflow's


def test_in_the_api_server_it_mounts_the_coordinator_at_cape(api_server: Path) -> None:
    [mounted] = CapePlugin().fastapi_apps
    assert mounted["url_prefix"] == "/cape"
    with TestClient(mounted["app"]) as client:
        assert client.get("/v1/health").json() == {"status": "ok"}
        assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize(("base_url", "href"), [("", "/cape/"), ("https://air.example.com/ops/", "/ops/cape/")])
def test_its_pages_stand_in_airflows_navigation(
    base_url: str, href: str, api_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    views = [view for view in CapePlugin().external_views if view["destination"] == "nav"]
    assert [(view["name"], view["href"], view["url_route"]) for view in views] == [("Privacy", href, "privacy")]


def test_dags_runs_and_tasks_have_a_view_of_their_jobs(api_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example.com/ops?x=1&y")
    views = CapePlugin().external_views
    for view in views:
        ExternalViewResponse.model_validate(view)
    assert len({view["url_route"] for view in views}) == 5
    start = "/ops/cape/airflow?deployment=https%3A%2F%2Fair.example.com%2Fops%3Fx%3D1%26y&"
    assert {view["destination"]: view["href"].removeprefix(start) for view in views[1:]} == {
        "dag": "dag_id={DAG_ID}",
        "dag_run": "dag_id={DAG_ID}&run_id={RUN_ID}",
        "task": "dag_id={DAG_ID}&task_id={TASK_ID}",
        "task_instance": "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}",
    }


def test_without_a_mounted_coordinator_there_is_nothing_in_airflows_navigation() -> None:
    assert CapePlugin().external_views == []


def test_the_pages_of_a_coordinator_elsewhere_open_in_a_window_of_their_own(
    api_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CAPE__EMBEDDED", "False")
    assert CapePlugin().external_views == []
    monkeypatch.setenv("AIRFLOW__CAPE__PAGES_URL", "https://cape.example.com/")
    [view] = CapePlugin().external_views
    ExternalViewResponse.model_validate(view)
    assert view == {"name": "Privacy", "href": "https://cape.example.com/", "destination": "nav"}


def test_the_data_of_the_coordinator_is_in_the_home_of_the_cape_section(api_server: Path) -> None:
    [mounted] = CapePlugin().fastapi_apps
    with TestClient(mounted["app"]) as client:
        client.get("/v1/health")
    assert (api_server / "coordinator.db").is_file()


def test_it_mounts_nothing_when_it_is_switched_off(api_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAPE__EMBEDDED", "False")
    assert CapePlugin().fastapi_apps == []
    assert not api_server.exists()


def test_a_coordinator_that_cannot_start_answers_503_and_says_why_in_the_log(
    api_server: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api_server.write_text("a file where the folder should be")
    with caplog.at_level(logging.ERROR):
        app = EmbeddedCoordinator()
    response = TestClient(app).get("/v1/health")
    assert (response.status_code, response.json()["code"]) == (503, "coordinator-down")
    assert str(api_server) in caplog.text
    assert "embedded = False" in caplog.text


def test_a_coordinator_that_could_not_start_is_tried_again_but_not_by_every_request(api_server: Path) -> None:
    now = [100.0]
    api_server.write_text("a file where the folder should be")
    client = TestClient(EmbeddedCoordinator(clock=lambda: now[0]))
    api_server.unlink()
    now[0] += RETRY_SECONDS - 1
    assert client.get("/v1/health").status_code == 503
    now[0] += 1
    assert client.get("/v1/health").json() == {"status": "ok"}
    assert client.get("/v1/me").status_code == 401


def test_a_coordinator_that_fails_again_is_given_another_pause(
    api_server: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    api_server.write_text("a file where the folder should be")
    client = TestClient(EmbeddedCoordinator(clock=lambda: now[0]))
    now[0] += RETRY_SECONDS
    caplog.clear()
    assert [client.get("/v1/health").status_code for _ in range(3)] == [503, 503, 503]
    assert caplog.text.count("did not start; /cape answers 503") == 1
