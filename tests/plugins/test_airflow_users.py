"""Airflow's users in the coordinator, with Airflow's real auth managers and a real token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow import settings as airflow_settings
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import import_all_models
from airflow.models.base import Base
from pydantic import SecretStr
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.testclient import TestClient

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.csrf import csrf_token
from cape_airflow.coordinator.settings import Settings
from cape_airflow.plugins.airflow_users import AirflowUsers, _email, _roles

SETTINGS = {"airflow_admins": ["admin"], "airflow_auditors": ["auditor"]}


class FabUser:
    """As Flask AppBuilder's: an email, and roles with names."""

    def __init__(self, email: str | None, name: str, *roles: str) -> None:
        self.email, self.name, self.roles = email, name, [type("Role", (), {"name": role}) for role in roles]


@pytest.fixture
def auth_manager(monkeypatch: pytest.MonkeyPatch) -> SimpleAuthManager:
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test, long enough for HS512" * 2)
    import_all_models()
    # Where Airflow looks whether a token was revoked, from 3.2 on.
    revoked = [table for name, table in Base.metadata.tables.items() if name == "revoked_token"]
    Base.metadata.create_all(airflow_settings.engine, tables=revoked)
    manager = SimpleAuthManager()
    if hasattr(airflow_app, "_AuthManagerState"):
        monkeypatch.setattr(airflow_app._AuthManagerState, "instance", manager)
    else:  # Airflow 3.1
        monkeypatch.setattr(airflow_app, "auth_manager", manager)
    return manager


class Airflow:
    """An app with the coordinator mounted at /cape, as Airflow's API server has it."""

    def __init__(self, home: Path, manager: SimpleAuthManager, **settings: Any) -> None:
        ours = Settings(home=home, root_key=SecretStr("A" * 43), **(SETTINGS | settings))
        self.token = initialise(ours, "boss@airflow", "Boss")
        self.manager = manager
        self.app = create_app(ours, identity=AirflowUsers(ours.airflow_admins, ours.airflow_auditors))
        outer = Starlette()
        outer.mount("/cape", self.app)
        self.client = TestClient(outer, follow_redirects=False)

    def cookie(self, name: str, role: str | None = "viewer", seconds: int = 600) -> str:
        return self.manager.generate_jwt(
            SimpleAuthManagerUser(username=name, role=role), expiration_time_in_seconds=seconds
        )

    def ask(self, method: str, path: str, cookie: str | None, **more: Any) -> Any:
        headers = ({"Cookie": f"_token={cookie}"} if cookie else {}) | more.pop("headers", {})
        return self.client.request(method, f"/cape{path}", headers=headers, **more)

    def events(self) -> list[tuple[str, str]]:
        with self.app.state.coordinator.store.read() as session:
            return [tuple(row) for row in session.execute(text("SELECT event, target_label FROM audit ORDER BY seq"))]


@pytest.fixture
def airflow(tmp_path: Path, auth_manager: SimpleAuthManager) -> Iterator[Airflow]:
    made = Airflow(tmp_path / "cape", auth_manager)
    yield made
    made.app.state.coordinator.store.close()


def test_the_first_visit_makes_the_user_and_the_next_one_finds_him(airflow: Airflow) -> None:
    first, second = (airflow.ask("GET", "/v1/me", airflow.cookie("ann")).json() for _ in range(2))
    assert (first["email"], first["name"], first["role"]) == ("ann@airflow", "ann", "user")
    assert (first["id"], first["expires_at"]) == (second["id"], None)
    assert airflow.events()[-2:] == [("create-user", "ann@airflow"), ("bind-identity", "ann@airflow airflow")]


@pytest.mark.parametrize(("role", "here"), [("admin", "admin"), ("auditor", "auditor"), ("op", "user"), (None, "user")])
def test_roles_of_airflow_become_roles_here_as_the_settings_say(airflow: Airflow, role: str | None, here: str) -> None:
    assert airflow.ask("GET", "/v1/me", airflow.cookie("ann", role)).json()["role"] == here


def test_a_role_that_is_taken_away_in_airflow_is_gone_at_the_next_visit(airflow: Airflow) -> None:
    assert airflow.ask("GET", "/v1/users", airflow.cookie("ann", "admin")).is_success
    assert airflow.ask("GET", "/v1/users", airflow.cookie("ann", "viewer")).status_code == 403
    assert airflow.events()[-1] == ("update-user", "ann@airflow user")


def test_the_last_admin_gets_in_and_stays_one_though_airflow_does_not_say_so(airflow: Airflow) -> None:
    assert airflow.ask("GET", "/v1/me", airflow.cookie("boss", "viewer")).json()["role"] == "admin"
    assert airflow.ask("GET", "/v1/users", airflow.cookie("ann", "admin")).is_success
    assert airflow.ask("GET", "/v1/me", airflow.cookie("boss", "viewer")).json()["role"] == "user"


def test_without_a_mapping_nobody_becomes_an_admin_by_what_he_is_in_airflow(
    tmp_path: Path, auth_manager: SimpleAuthManager
) -> None:
    airflow = Airflow(tmp_path, auth_manager, airflow_admins=[], airflow_auditors=[])
    assert airflow.ask("GET", "/v1/me", airflow.cookie("ann", "admin")).json()["role"] == "user"
    assert airflow.ask("GET", "/v1/me", airflow.cookie("boss", "viewer")).json()["role"] == "admin"


def test_who_logs_out_of_airflow_or_was_never_in_is_nobody(airflow: Airflow) -> None:
    for cookie in (None, "", "x.y.z", airflow.cookie("ann")[:-4] + "AAAA", airflow.cookie("ann", seconds=-60)):
        assert airflow.ask("GET", "/v1/me", cookie).status_code == 401
    assert (
        airflow.ask("GET", "/v1/me", None, headers={"Authorization": f"Bearer {airflow.cookie('ann')}"}).status_code
        == 401
    )


def test_a_page_sends_to_airflows_log_in_and_there_is_none_of_our_own(airflow: Airflow) -> None:
    answer = airflow.ask("GET", "/projects", None)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("/auth/login?next=%2Fcape%2Fprojects")
    assert airflow.ask("GET", "/login", None).status_code == 404
    assert airflow.ask("POST", "/login", None, data={"email": "a@b.de", "password": "x"}).status_code == 404


def test_a_change_needs_the_token_of_our_pages_also_with_airflows_cookie(airflow: Airflow) -> None:
    cookie, body = airflow.cookie("ann", "admin"), {"email": "new@example.com", "name": "New"}
    page = airflow.ask("GET", "/projects", cookie)
    assert page.is_success
    assert airflow.ask("POST", "/v1/users", cookie, json=body).json()["code"] == "csrf"
    token = csrf_token(airflow.app.state.coordinator.root_key, "airflow ann")
    good = {"X-CSRF-Token": token}
    foreign = airflow.ask("POST", "/v1/users", cookie, json=body, headers=good | {"Origin": "https://evil.example"})
    assert foreign.json()["code"] == "csrf"
    other = airflow.ask("POST", "/v1/users", airflow.cookie("bob", "admin"), json=body, headers=good)
    assert other.json()["code"] == "csrf"
    assert airflow.ask("POST", "/v1/users", cookie, json=body, headers=good).status_code == 201


def test_who_is_deactivated_here_stays_out_whatever_airflow_says(airflow: Airflow) -> None:
    airflow.ask("GET", "/v1/me", airflow.cookie("ann"))
    bearer = {"Authorization": f"Bearer {airflow.token}"}
    assert airflow.ask("POST", "/v1/users/ann@airflow/deactivate", None, headers=bearer).is_success
    assert airflow.ask("GET", "/v1/me", airflow.cookie("ann", "admin")).status_code == 403


def test_api_tokens_of_programs_work_as_ever(airflow: Airflow) -> None:
    headers = {"Authorization": f"Bearer {airflow.token}"}
    assert airflow.ask("GET", "/v1/me", airflow.cookie("ann"), headers=headers).json()["email"] == "boss@airflow"


@pytest.mark.parametrize("name", ["", "two words", "a/b", "x" * 300])
def test_a_name_that_cannot_stand_in_an_email_is_refused_and_makes_nobody(airflow: Airflow, name: str) -> None:
    answer = airflow.ask("GET", "/v1/me", airflow.cookie(name))
    assert (answer.status_code, answer.json()["code"]) == (403, "no-email")


def test_users_of_flask_appbuilder_have_their_email_and_all_their_roles() -> None:
    user = FabUser("Ann@Example.com", "Ann Lee", "Viewer", "Privacy")
    assert _email(user, "Ann Lee") == "ann@example.com"
    assert _roles(user) == {"Viewer", "Privacy"}
