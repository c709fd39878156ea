"""Airflow's users in the embedded coordinator of a real API server, with Airflow's own log in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.airflow.conftest import RealAirflow, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PASSWORDS = {"ann": "ann-password", "vic": "vic-password"}


class AirflowWithUsers(RealAirflow):
    """An Airflow that people log in to: Ann is an admin there, Vic a viewer."""

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told."""
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps(PASSWORDS))
        return super().environment | {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ann:admin,vic:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "CAPE_AIRFLOW_ADMINS": '["admin"]',
        }


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    airflow = AirflowWithUsers(tmp_path_factory.mktemp("airflow-users"))
    airflow.dags.mkdir()
    airflow.console.mkdir()
    airflow.migrate()
    try:
        airflow.start("api-server")
        wait_for("coordinator", lambda: answers(airflow), 180)
        yield airflow
    finally:
        airflow.stop()


def answers(airflow: RealAirflow) -> bool:
    try:
        return requests.get(f"{airflow.url}/cape/v1/health", timeout=10).ok
    except requests.RequestException:
        return False


def logged_in(airflow: RealAirflow, name: str) -> requests.Session:
    """Log in to Airflow, and return a browser with its cookie."""
    session = requests.Session()
    body = {"username": name, "password": PASSWORDS[name]}
    token = session.post(f"{airflow.url}/auth/token", json=body, timeout=30).json()["access_token"]
    session.cookies.set("_token", token)
    return session


def test_who_logs_in_to_airflow_is_in_the_coordinator_too(api_server: RealAirflow) -> None:
    for name, role in (("ann", "admin"), ("vic", "user")):
        me = logged_in(api_server, name).get(f"{api_server.url}/cape/v1/me", timeout=30).json()
        assert (me["email"], me["role"]) == (f"{name}@airflow", role)


def test_a_page_knows_its_reader_and_a_form_of_another_page_changes_nothing(api_server: RealAirflow) -> None:
    ann, url = logged_in(api_server, "ann"), f"{api_server.url}/cape"
    assert "ann" in ann.get(f"{url}/projects", timeout=30).text
    answer = ann.post(f"{url}/v1/projects", json={"name": "Pay"}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


def test_who_is_not_in_is_sent_to_airflows_log_in(api_server: RealAirflow) -> None:
    answer = requests.get(f"{api_server.url}/cape/projects", allow_redirects=False, timeout=30)
    assert answer.status_code == 303
    assert "/auth/login" in answer.headers["location"]
    assert requests.get(f"{api_server.url}/cape/login", timeout=30).status_code == 404
    assert requests.get(f"{api_server.url}/cape/v1/me", timeout=30).status_code == 401


def test_the_log_shows_no_token(api_server: RealAirflow) -> None:
    token = logged_in(api_server, "vic").cookies["_token"]
    for file in Path(api_server.console).iterdir():
        assert token not in file.read_text()
