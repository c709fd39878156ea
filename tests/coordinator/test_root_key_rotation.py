from __future__ import annotations

import stat
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text

from cape_airflow.cli.coordinator import coordinator
from cape_airflow.coordinator import root_key_rotation
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.root_key_rotation import rotate_root_key, sealed_tables, wrapped_tables
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.store.models import Base, ServedRootKey
from cape_airflow.errors import CoordinatorError, KeyUnavailable
from cape_airflow.keys.encoding import to_base64url


@pytest.fixture
def new_file(tmp_path: Path) -> Path:
    return tmp_path / "next.key"


def with_file(settings: Settings, file: Path) -> Settings:
    return settings.model_copy(update={"root_key": None, "root_key_file": file})


def again(deployment: Any, settings: Settings) -> Any:
    """The same deployment, started anew."""
    deployment.close()
    fresh = type(deployment)(settings, deployment.admin)
    fresh.clock.now = deployment.clock.now
    return fresh


def material(deployment: Any, project: Any) -> Any:
    return deployment.done("GET", f"{project.path}/keys/k/material", project.worker)["versions"]


def test_every_table_with_a_secret_is_wrapped_again_and_every_sealed_one_sealed_again() -> None:
    tables = Base.metadata.tables.values()
    holding = {table.name for table in tables if any("wrapped" in column.name for column in table.columns)}
    assert {table.__tablename__ for table in wrapped_tables()} == holding - {ServedRootKey.__tablename__}
    assert wrapped_tables() == set(root_key_rotation._PLACES)
    assert {table.__tablename__ for table in sealed_tables()} == {table.name for table in tables if "seal" in table.c}


def test_keys_tokens_and_answers_are_as_they_were_under_a_new_root_key(
    deployment: Any, project: Any, new_file: Path
) -> None:
    path, body = f"{project.path}/keys", {"name": "k"}
    deployment.done("POST", path, project.owner, body, headers={"Idempotency-Key": "once"})
    deployment.done("POST", f"{path}/k/rotate", project.owner)
    policy = project.approved()["digest"]
    before = material(deployment, project)
    rotate_root_key(deployment.settings, str(new_file))
    assert stat.S_IMODE(new_file.stat().st_mode) == 0o600
    fresh = again(deployment, with_file(deployment.settings, new_file))
    assert material(fresh, project) == before
    assert fresh.done("GET", f"{project.path}/policy", project.worker)["digest"] == policy
    repeated = fresh.done("POST", path, project.owner, body, headers={"Idempotency-Key": "once"})
    assert repeated["name"] == "k"
    events = [row.event for row in fresh.rows("SELECT event FROM audit ORDER BY seq")]
    assert events.count("rotate-root-key") == 1
    fresh.close()


def test_the_old_root_key_opens_nothing_any_more(deployment: Any, new_file: Path) -> None:
    rotate_root_key(deployment.settings, str(new_file))
    with pytest.raises(KeyUnavailable, match="not of this root key"):
        create_app(deployment.settings)


def test_a_coordinator_that_still_runs_with_the_old_root_key_refuses_everybody(
    deployment: Any, project: Any, new_file: Path
) -> None:
    deployment.done("POST", f"{project.path}/keys", project.owner, {"name": "k"})
    rotate_root_key(deployment.settings, str(new_file))
    for method, path, token, body in (
        ("GET", f"{project.path}/keys/k/material", project.worker, None),
        ("POST", f"{project.path}/keys", project.owner, {"name": "other"}),
        ("POST", "/v1/users", deployment.admin, {"email": "a@example.com", "name": "A"}),
    ):
        assert deployment.ask(method, path, token, body).status_code == 403
    again(deployment, with_file(deployment.settings, new_file)).close()


def test_requests_during_the_rotation_leave_no_row_under_the_old_key(
    deployment: Any, project: Any, new_file: Path
) -> None:
    statuses: list[int] = []

    def make_keys() -> None:
        for number in range(40):
            answer = deployment.ask("POST", f"{project.path}/keys", project.owner, {"name": f"k{number}"})
            statuses.append(answer.status_code)

    with deployment.http:
        thread = Thread(target=make_keys)
        thread.start()
        rotate_root_key(deployment.settings, str(new_file))
        thread.join()
    fresh = again(deployment, with_file(deployment.settings, new_file))
    listed = fresh.done("GET", f"{project.path}/keys?limit=200", project.owner)["items"]
    assert len(listed) == statuses.count(201)
    assert set(statuses) <= {201, 403, 503}
    fresh.close()


def test_a_row_that_was_edited_by_hand_keeps_everything_as_it_is(deployment: Any, project: Any, new_file: Path) -> None:
    with deployment.app.state.coordinator.store.write() as session:
        session.execute(text("UPDATE contributors SET role = 'worker' WHERE role = 'project-reader'"))
        session.commit()
    with pytest.raises(CoordinatorError, match="of table contributors was edited by hand"):
        rotate_root_key(deployment.settings, str(new_file))
    assert deployment.ask("GET", project.path, project.owner).is_success


def test_the_present_root_key_is_not_put_in_its_own_place(deployment: Any, new_file: Path) -> None:
    assert isinstance(deployment.settings.root_key, SecretStr)
    new_file.write_text(deployment.settings.root_key.get_secret_value())
    new_file.chmod(0o600)
    with pytest.raises(KeyUnavailable, match="holds the present root key"):
        rotate_root_key(deployment.settings, str(new_file))


def test_a_new_root_key_may_be_given_and_must_be_private(deployment: Any, new_file: Path) -> None:
    new_file.write_text(to_base64url(bytes(32)))
    new_file.chmod(0o644)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        rotate_root_key(deployment.settings, str(new_file))
    new_file.chmod(0o600)
    rotate_root_key(deployment.settings, str(new_file))
    again(deployment, with_file(deployment.settings, new_file)).close()


def test_the_command_makes_the_file_and_says_what_to_start_with(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    initialise(settings, "admin@example.com", "Ada")
    file = tmp_path / "second.key"
    done = CliRunner().invoke(coordinator, ["rotate-root-key", "--home", str(tmp_path), str(file)])
    assert done.exit_code == 0, done.output
    assert f"CAPE_ROOT_KEY_FILE={file}" in done.stdout
    assert file.read_text().strip() not in done.output
    with pytest.raises(KeyUnavailable, match="not of this root key"):
        create_app(settings)
    create_app(Settings(home=tmp_path, root_key_file=file)).state.coordinator.store.close()
