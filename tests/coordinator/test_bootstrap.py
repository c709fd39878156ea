from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from cape_airflow.cli.coordinator import coordinator
from cape_airflow.coordinator.bootstrap import initialise, migrate, recover
from cape_airflow.errors import CoordinatorError

SERVE = """
import sys
from cape_airflow.coordinator.serving import serve
from cape_airflow.coordinator.settings import Settings
serve(Settings(), "127.0.0.1", int(sys.argv[1]))
"""


def test_the_first_admin_can_do_what_an_admin_does(maker: Any, prepared: Any) -> None:
    settings = maker.empty_settings()
    token = initialise(settings, "First@Example.com", "Ada")
    deployment = type(maker.deployment())(settings, token)
    deployment.clock.now = maker.deployments[0].clock.now
    me = deployment.done("GET", "/v1/me", token)
    assert (me["email"], me["name"], me["role"]) == ("first@example.com", "Ada", "admin")
    assert deployment.user("second")
    events = deployment.rows("SELECT event, user_id FROM audit ORDER BY seq LIMIT 2")
    assert events == [("create-user", None), ("create-token", None)]
    deployment.close()


def test_there_is_one_first_admin(maker: Any) -> None:
    settings = maker.settings()
    with pytest.raises(CoordinatorError, match="users already"):
        initialise(settings, "second@example.com", "Eve")


@pytest.mark.parametrize(
    ("email", "name"),
    [("", "Ada"), ("ada", "Ada"), ("a b@c.de", "Ada"), ("a/b@c.de", "Ada"), ("a@b.de", ""), ("a@b.de", "A\x1b[2J")],
)
def test_the_first_admin_is_named_as_the_api_names_people(maker: Any, email: str, name: str) -> None:
    with pytest.raises(CoordinatorError, match=r"the (email|name) is refused"):
        initialise(maker.empty_settings(), email, name)


def test_an_admin_whose_tokens_expired_gets_in_again_on_the_machine(maker: Any) -> None:
    deployment = maker.deployment()
    before = deployment.rows("SELECT seq FROM audit")
    token = recover(deployment.settings, "Admin@Example.com")
    assert deployment.done("GET", "/v1/me", token)["email"] == "admin@example.com"
    written = deployment.rows("SELECT event, target_label, user_id FROM audit ORDER BY seq")[len(before) :]
    assert written == [("create-token", "admin@example.com", None)]


@pytest.mark.parametrize("email", ["customers-owner@example.com", "nobody@example.com", ""])
def test_only_an_admin_gets_in_again(maker: Any, email: str) -> None:
    with pytest.raises(CoordinatorError, match="no admin has this email"):
        recover(maker.settings(), email)


def test_who_was_made_an_admin_by_hand_does_not_get_in(maker: Any) -> None:
    deployment = maker.deployment()
    with deployment.app.state.coordinator.store.write() as session:
        session.execute(text("UPDATE users SET role = 'admin'"))
        session.commit()
    with pytest.raises(CoordinatorError, match="no admin has this email"):
        recover(deployment.settings, "customers-owner@example.com")


def test_of_two_first_admins_at_the_same_moment_one_is_made(maker: Any) -> None:
    settings = maker.empty_settings()

    def attempt(number: int) -> bool:
        try:
            return bool(initialise(settings, f"a{number}@example.com", "Ada"))
        except CoordinatorError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1


def test_migrating_twice_changes_nothing(maker: Any) -> None:
    settings = maker.empty_settings()
    for _ in range(2):
        migrate(settings)
    assert initialise(settings, "a@example.com", "Ada")


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_files_of_the_embedded_coordinator_are_private(maker: Any, umask_022: None) -> None:
    settings = maker.settings()
    settings.folder.joinpath("coordinator.db").unlink()
    initialise(settings, "a@example.com", "Ada")
    for file in settings.folder.glob("coordinator.db*"):
        assert file.stat().st_mode & 0o077 == 0, file


@pytest.fixture
def umask_022() -> Any:
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_serving_stops_at_a_signal_with_a_clean_exit(maker: Any, prepared: Any, free_port: int) -> None:
    settings = maker.settings()
    environment = os.environ | {
        "CAPE_HOME": str(settings.home),
        "CAPE_ROOT_KEY": settings.root_key.get_secret_value(),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(free_port)], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        answer = None
        while answer is None and time.monotonic() < deadline:
            try:
                answer = httpx.get(
                    f"http://127.0.0.1:{free_port}/v1/me", headers={"Authorization": f"Bearer {prepared.admin}"}
                )
            except httpx.TransportError:
                time.sleep(0.05)
        assert answer is not None
        assert answer.json()["role"] == "admin"
        assert "server" not in answer.headers
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGTERM)
    assert prepared.admin.partition(",")[2] not in log


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_the_command_prints_the_token_of_the_admin_who_gets_in_again(
    maker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = maker.deployment()
    monkeypatch.setenv("CAPE_ROOT_KEY", deployment.settings.root_key.get_secret_value())
    run = CliRunner().invoke(
        coordinator, ["recover", "--home", str(deployment.settings.home), "--email", "admin@example.com"]
    )
    assert deployment.done("GET", "/v1/me", run.stdout.strip())["role"] == "admin"
