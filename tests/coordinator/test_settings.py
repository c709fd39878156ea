from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import CoordinatorError


def test_the_default_is_a_sqlite_file_at_home(tmp_path: Path) -> None:
    url = Settings(home=tmp_path).database
    assert (url.drivername, url.database) == ("sqlite", str(tmp_path / "coordinator.db"))


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://cape:pw@db/cape", "postgresql+psycopg"),
        ("postgres://cape:pw@db/cape", "postgresql+psycopg"),
        ("postgresql+psycopg2://cape:pw@db/cape", "postgresql+psycopg"),
        ("sqlite:////var/cape.db", "sqlite"),
    ],
)
def test_a_url_gets_the_driver_that_we_use(url: str, driver: str) -> None:
    assert Settings(db_url=SecretStr(url)).database.drivername == driver


@pytest.mark.parametrize("url", ["mysql://x:hunter2@db/cape", "sqlite://", "sqlite:///:memory:", "hunter2", ""])
def test_other_databases_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(CoordinatorError) as refused:
        _ = Settings(db_url=SecretStr(url)).database
    assert "hunter2" not in str(refused.value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/srv/cape", "DB_URL": "postgres://x/y", "BODY_LIMIT": "5"}.items():
        monkeypatch.setenv(f"CAPE_{name}", value)
    settings = Settings()
    assert (settings.folder, settings.body_limit) == (Path("/srv/cape"), 5)
    assert settings.database.host == "x"


@pytest.mark.parametrize("name", ["CAPE_BODY_LIMIT", "CAPE_CONCURRENCY", "CAPE_LOCK_SECONDS", "CAPE_BODY_SECONDS"])
def test_limits_are_positive_numbers(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("0", "-1", "many"):
        monkeypatch.setenv(name, value)
        with pytest.raises(ValidationError):
            Settings()


def test_S2_settings_never_show_their_secrets() -> None:
    settings = Settings(db_url=SecretStr("postgres://cape:hunter2@db/cape"), root_key=SecretStr("correct-horse"))
    for shown in (repr(settings), str(settings), repr(settings.database), settings.model_dump_json()):
        assert "hunter2" not in shown
        assert "correct-horse" not in shown


def test_every_setting_is_in_the_documents(repository: Path) -> None:
    documented = (repository / "docs" / "coordinator.md").read_text()
    assert [name for name in Settings.model_fields if f"`CAPE_{name.upper()}`" not in documented] == []
