from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cape_airflow.coordinator.configuration import VARIABLE, file_source
from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import CoordinatorError


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the file of CAPE_CONFIG."""

    def write(text: str) -> Path:
        path = tmp_path / "coordinator.toml"
        path.write_text(text)
        monkeypatch.setenv(VARIABLE, str(path))
        return path

    return write


def test_settings_come_from_the_file_and_the_environment_comes_before_it(
    written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written('body_limit = 5\nlock_seconds = 6\nhome = "/srv/cape"\nlog_format = "json"\n')
    monkeypatch.setenv("CAPE_LOCK_SECONDS", "7")
    settings = Settings(home=Path("/srv/other"))
    assert (settings.body_limit, settings.lock_seconds, settings.log_format) == (5, 7, "json")
    assert settings.folder == Path("/srv/other"), "what the caller says comes first"


def test_a_secret_is_in_a_file_of_its_own(written: Any, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://cape:hunter2@db/cape\n")
    written(f'db_url = "file:{tmp_path / "url"}"\n')
    assert Settings().database.password == "hunter2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bodylimit = 5", "`bodylimit` is not a setting; did you mean `body_limit`?"),
        ('CAPE_HOME = "/srv"', "`CAPE_HOME` is not a setting"),
        ('db_url = "postgres://cape:hunter2@db/cape"', 'write db_url = "file:/path/to/it"'),
        ("root_key = 5", "root_key is a secret"),
        ('root_key = "file:/nowhere/root.key"', "cannot be read (FileNotFoundError)"),
        ("home = ", "is not TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, said: str, written: Any) -> None:
    written(text)
    with pytest.raises(CoordinatorError) as refused:
        Settings()
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/coordinator.toml")
    with pytest.raises(CoordinatorError, match="cannot be read"):
        Settings()


class Far(BaseModel):
    url: str
    secret: SecretStr | None = None


class Nested(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CAPE_")
    sinks: list[Far] = []
    named: dict[str, Annotated[Far, "whatever"]] = {}

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *_: Any, **_more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (file_source(settings_cls),)


def test_secrets_in_tables_and_lists_are_in_files_of_their_own_too(written: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    lines = f'url = "https://far"\nsecret = "file:{tmp_path / "secret"}"\n'
    written(f"[[sinks]]\n{lines}[named.one]\n{lines}")
    settings = Nested()
    found = [far.secret and far.secret.get_secret_value() for far in (*settings.sinks, *settings.named.values())]
    assert found == ["hunter2", "hunter2"]
    written('[[sinks]]\nurl = "https://far"\nsecret = "hunter2"\n')
    with pytest.raises(CoordinatorError, match=r"sinks\[0\]\.secret is a secret"):
        Nested()
