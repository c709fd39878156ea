"""A coordinator that was set up and started with the command itself, and people logged in to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cape_airflow.cli import main

_numbers = count(1)
COMMAND = [sys.executable, "-m", "cape_airflow.cli"]


@dataclass
class Person:
    """Somebody with a configuration folder of his own."""

    home: Path

    def __call__(self, *arguments: object, input: str | None = None, **environment: str) -> Result:
        """Run `cape`; does not look at how it ended."""
        return CliRunner().invoke(
            main, [str(each) for each in arguments], input=input, env=self._machine() | environment
        )

    def _machine(self) -> dict[str, str]:
        """Everybody of one test works on a machine with the same Airflow."""
        return {"CAPE_HOME": str(self.home), "AIRFLOW_HOME": str(self.home.parent / "airflow")}

    def ok(self, *arguments: object, input: str | None = None) -> str:
        """Run `cape`, which must end well; return what it printed."""
        result = self(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object) -> Any:
        """Run `cape ... --json`; return the data."""
        return json.loads(self.ok(*arguments, "--json"))

    def fails(self, *arguments: object, input: str | None = None, **environment: str) -> str:
        """Run `cape`, which must fail with one sentence on stderr; return it."""
        result = self(*arguments, input=input, **environment)
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.output
        return result.stderr


@pytest.fixture
def somebody(tmp_path: Path) -> Person:
    """Somebody who is not logged in."""
    return Person(tmp_path / "nobody")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a coordinator, and its first admin's token."""
    environment = os.environ | {"CAPE_HOME": str(tmp_path_factory.mktemp("coordinator"))}
    setup = [*COMMAND, "coordinator", "init", "--email", "admin@example.org", "--name", "Admin"]
    made = subprocess.run(setup, env=environment, capture_output=True, text=True, timeout=60, check=True)
    command = [*COMMAND, "coordinator", "start", "--port", "0"]
    log = tmp_path_factory.mktemp("log") / "coordinator"
    with log.open("w") as stderr, subprocess.Popen(command, env=environment, stderr=stderr) as server:
        try:
            deadline = time.monotonic() + 60
            while not (found := re.search(r"running on (http://\S+)", log.read_text())):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield found[1], made.stdout.strip()
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture
def log_in(service: tuple[str, str], tmp_path: Path) -> Callable[[str], Person]:
    """Log somebody in with a token."""

    def log_in(token: str) -> Person:
        person = Person(tmp_path / f"home{next(_numbers)}")
        person.ok("login", "--url", service[0], input=f"{token}\n")
        return person

    return log_in


@pytest.fixture
def admin(service: tuple[str, str], log_in: Callable[[str], Person]) -> Person:
    """The first admin, logged in."""
    return log_in(service[1])


@dataclass
class Team:
    """A project with an author and an officer, both logged in."""

    project: str
    admin: Person
    author: Person
    officer: Person


@pytest.fixture
def team(admin: Person, log_in: Callable[[str], Person]) -> Team:
    """A project of its own, set up with the command."""
    project = f"p{next(_numbers)}"
    admin.ok("projects", "create", project.upper(), "people who bought", "--label", project)
    people = []
    for role in ("project-contributor", "project-owner"):
        email = f"{role}.{project}@example.org"
        admin.ok("users", "create", email, "--name", role)
        admin.ok("projects", "contributors", "add", project, email, role)
        people.append(log_in(admin.ok("tokens", "create", "--user", email).strip()))
    return Team(project, admin, *people)


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """A policy file of version 2."""
    path = tmp_path / "policy.yaml"
    path.write_text(
        "label: customers\n"
        "version: 2\n"
        "rules:\n"
        "  - match: {name: email}\n"
        "    actions:\n"
        "      - transform: {type: keyed-hash, key: {ref: customer}}\n"
        "  - match: {name: age}\n"
        "    keep: {reason: not identifying}\n"
    )
    return path


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    """Three customers."""
    path = tmp_path / "customers.csv"
    path.write_text("email,age\nada@example.org,36\nalan@example.org,41\n,12\n")
    return path
