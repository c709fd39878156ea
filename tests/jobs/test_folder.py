from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cape_airflow.errors import CapeError
from cape_airflow.jobs.folder import default_folder


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The home of a user who has no Airflow."""
    for name in ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "CAPE_OUTBOX", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_without_airflow_it_is_the_users_state_folder(home, monkeypatch):
    assert default_folder() == home / ".local/state/cape/outbox"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_folder() == Path("/state/cape/outbox")


def test_it_can_be_given_whether_or_not_there_is_an_airflow(home, monkeypatch):
    monkeypatch.setenv("CAPE_OUTBOX", "/given")
    assert default_folder() == Path("/given")
    monkeypatch.setenv("AIRFLOW_HOME", "/airflow")
    assert default_folder() == Path("/given")


def test_an_airflow_that_was_only_ever_used_in_the_usual_place_is_found(home):
    (home / "airflow").mkdir()
    (home / "airflow/airflow.cfg").write_text("[core]\nload_examples = False\n")
    assert default_folder() == home / "airflow/cape/outbox"


def test_a_configuration_that_cannot_be_read_is_told(home, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    (home / "airflow.cfg").write_text("no section = here\n")
    with pytest.raises(CapeError, match=r"airflow.cfg is not a configuration of Airflow; name the outbox"):
        default_folder()


OURS_AND_AIRFLOWS = """
import json
from cape_airflow.jobs.folder import default_folder
ours = str(default_folder())
from cape_airflow.hooks.settings import outbox_folder
print(json.dumps([ours, str(outbox_folder())]))
"""


@pytest.mark.parametrize(
    ("section", "environment", "expected"),
    [
        ("", {}, "cape/outbox"),
        ("home = $AIRFLOW_HOME/data%%1", {}, "data%1/outbox"),
        ("outbox = ~/spool", {"AIRFLOW__CAPE__HOME": "/elsewhere"}, "spool"),
        ("outbox = ~/spool", {"AIRFLOW__CAPE__OUTBOX": "$HOME/other"}, "other"),
    ],
)
def test_it_is_where_the_tasks_of_this_airflow_keep_their_reports(home, section, environment, expected):
    (home / "airflow.cfg").write_text(f"[cape]\n{section}\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AIRFLOW_HOME": str(home), **environment}
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OURS_AND_AIRFLOWS],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    ours, airflows = json.loads(printed.stdout.splitlines()[-1])
    assert ours == airflows == str(home / expected)
