from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise, recover
from cape_airflow.coordinator.settings import Settings
from cape_airflow.keys.encoding import to_base64url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a coordinator with five rows in its log, which never ran so far."""
    home = tmp_path / "coordinator"
    settings = Settings(home=home)
    initialise(settings, "admin@example.org", "Admin")
    for _ in range(3):
        recover(settings, "admin@example.org")
    return home


def checkpoint(home: Path) -> None:
    """Run and stop a coordinator there."""
    with TestClient(create_app(Settings(home=home))):
        pass


def tamper(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "coordinator.db")) as connection, connection:
        for trigger in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)


def rows(home: Path) -> int:
    with closing(sqlite3.connect(home / "coordinator.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])


def test_a_coordinator_that_stops_leaves_a_checkpoint_of_everything(somebody: Any, home: Path) -> None:
    checkpoint(home)
    said = somebody.json("audit", "verify", "--home", home)
    assert said["findings"] == []
    assert said["rows"] == said["covered"] == rows(home)
    mode = (home / "audit-checkpoints.jsonl").stat().st_mode & 0o777
    assert mode == 0o600


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET user_email = 'x' WHERE seq = 3", "row 3: edited"),
        ("DELETE FROM audit WHERE seq IN (2, 3)", "rows 2 to 3: taken out"),
        ("DELETE FROM audit WHERE seq > 2", "from row 3 on: gone"),
        ("UPDATE audit SET seq = 100 WHERE seq = 2", "row 2: taken out"),
    ],
)
def test_what_was_done_to_the_log_is_said_with_its_place_and_exit_code_1(
    somebody: Any, home: Path, statement: str, said: str
) -> None:
    checkpoint(home)
    tamper(home, statement)
    result = somebody("audit", "verify", "--home", home)
    assert result.exit_code == 1
    assert said in result.output


def test_a_log_without_checkpoints_is_not_called_intact_by_the_way(somebody: Any, home: Path) -> None:
    assert "no checkpoint covers any row" in somebody.fails("audit", "verify", "--home", home)
    assert "no findings" in somebody.ok("audit", "verify", "--home", home, "--without-checkpoints")


def test_an_auditor_verifies_an_export_elsewhere_with_nothing_but_checkpoints_and_public_keys(
    somebody: Any, home: Path, tmp_path: Path
) -> None:
    checkpoint(home)
    file = tmp_path / "audit.ndjson"
    somebody.ok("audit", "export", "--home", home, "--output", file)
    with closing(sqlite3.connect(home / "coordinator.db")) as connection:
        (public,) = connection.execute("SELECT public_key FROM signing_keys").fetchone()
    more = ("--checkpoints", home / "audit-checkpoints.jsonl", "--signing-keys", to_base64url(public))
    assert "no findings" in somebody.ok("audit", "verify", "--log", file, *more)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:2], lines[3], lines[2], *lines[4:]]))
    result = somebody("audit", "verify", "--log", file, *more)
    assert result.exit_code == 1
    assert "rows were moved or put in" in result.output


def test_an_export_is_recorded_and_has_the_rows_in_lines_or_cells(somebody: Any, home: Path) -> None:
    lines = somebody.ok("audit", "export", "--home", home).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    table = somebody.ok("audit", "export", "--home", home, "--format", "csv").splitlines()
    assert table[0].startswith("seq,time,event,")
    assert "export-audit" in table[-1]


def test_a_checkpoint_that_somebody_else_signed_is_refused(somebody: Any, home: Path, tmp_path: Path) -> None:
    checkpoint(home)
    other = tmp_path / "other"
    initialise(Settings(home=other), "admin@example.org", "Admin")
    checkpoint(other)
    foreign = other / "audit-checkpoints.jsonl"
    said = somebody.fails("audit", "verify", "--home", home, "--checkpoints", foreign)
    assert "no trusted key signed this checkpoint" in said


def test_verifying_makes_and_changes_nothing(somebody: Any, home: Path, tmp_path: Path) -> None:
    checkpoint(home)
    before = rows(home)
    somebody.ok("audit", "verify", "--home", home)
    assert rows(home) == before
    assert "there is no database" in somebody.fails("audit", "verify", "--home", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
