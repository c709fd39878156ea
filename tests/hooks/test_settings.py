from __future__ import annotations

from pathlib import Path

import pytest
from airflow.configuration import AIRFLOW_HOME

from cape_airflow.hooks import settings


def test_the_embedded_coordinator_is_on_and_lives_in_airflows_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__CAPE__OUTBOX", raising=False)
    assert settings.embedded() is True
    assert settings.home() == Path(AIRFLOW_HOME, "cape")
    assert settings.outbox_folder() == Path(AIRFLOW_HOME, "cape", "outbox")


def test_the_cape_section_of_the_configuration_moves_and_switches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAPE__EMBEDDED", "False")
    monkeypatch.setenv("AIRFLOW__CAPE__HOME", "/var/lib/cape")
    monkeypatch.setenv("AIRFLOW__CAPE__OUTBOX", "/var/spool/cape")
    assert settings.embedded() is False
    assert settings.home() == Path("/var/lib/cape")
    assert settings.outbox_folder() == Path("/var/spool/cape")
