"""A real coordinator over HTTP with people in it, for the tests of the Airflow face."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
import uvicorn
from fastapi import FastAPI

from cape_airflow.client import CoordinatorClient, Suggestion
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.settings import Settings

POLICY = """
label: customers
version: 2
domain: tests
rules:
  - match: {name: email}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {name: country}
    keep: {reason: not identifying at country level}
  - where: "country = 'XX'"
    actions: [suppress-record]
"""
"""Over `customers`: tokens for e-mail addresses, and no row of country XX."""


class People:
    """An admin, and whom he invites to a project: an engineer, an officer and a worker, each with a token of his own.

    Args:
        url: of the coordinator.
        admin_token: of its first admin.
    """

    def __init__(self, url: str, admin_token: str) -> None:
        self.url = url
        self.admin_token = admin_token
        self.admin = CoordinatorClient(url, admin_token)
        self.engineer = CoordinatorClient(url, self._invite("engineer"))
        self.officer = CoordinatorClient(url, self._invite("officer"))
        self.worker_token = self._invite("worker")

    def _invite(self, name: str) -> str:
        email = f"{name}@example.com"
        self.admin.create_user(email, name)
        return self.admin.create_token("tests", user_email=email).token.reveal().decode()

    def new_project(self, label: str | None = None) -> str:
        """Create a project with all three in it, and the key `customer-id`; return its label."""
        label = label or f"customers-{token_hex(4)}"
        self.admin.create_project(label, label=label)
        for email, role in (
            ("engineer@example.com", "project-contributor"),
            ("officer@example.com", "project-owner"),
            ("worker@example.com", "worker"),
        ):
            self.admin.set_contributor(label, email, role)
        self.admin.create_key(label, "customer-id", 32)
        return label

    def suggest(self, project: str, policy: str = POLICY) -> Suggestion:
        """Have the engineer suggest a policy."""
        return self.engineer.suggest(project, "a policy", policy)

    def approve(self, project: str, policy: str = POLICY) -> str:
        """Have a policy suggested and approved; return its digest."""
        suggestion = self.suggest(project, policy)
        self.officer.approve(project, suggestion.id, suggestion.digest)
        return suggestion.digest

    def connection(self, **changed: object) -> dict[str, object]:
        """Return the fields of the worker's Airflow connection."""
        scheme, _, rest = self.url.partition("://")
        authority, _, prefix = rest.partition("/")
        host, _, port = authority.partition(":")
        extra = {"scheme": scheme, "path_prefix": prefix, "deadline": 10} | changed
        return {
            "conn_type": "cape",
            "host": host,
            "port": int(port),
            "password": self.worker_token,
            "extra": json.dumps(extra),
        }


@contextmanager
def serving(settings: Settings, port: int = 0, app: FastAPI | None = None) -> Iterator[str]:
    """Serve a coordinator in a thread, and give its URL; port 0: a free one."""
    server = uvicorn.Server(uvicorn.Config(app or create_app(settings), port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the coordinator did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """The people of a coordinator that runs for the whole session."""
    settings = Settings(home=tmp_path_factory.mktemp("coordinator"))
    token = initialise(settings, "admin@example.com", "admin")
    with serving(settings) as url:
        yield People(url, token)


class Outage:
    """A coordinator that can be away for a while, at an address that stays; with a project that has a policy.

    Attributes:
        people: of this coordinator.
        project: label of the project.
        digest: of its approved policy.
    """

    def __init__(self, home: Path) -> None:
        self._settings = Settings(home=home)
        self._port = 0
        self._running = ExitStack()
        url = self.end()
        self._port = int(url.rpartition(":")[2])
        self.people = People(url, initialise(self._settings, "admin@example.com", "admin"))
        self.project = self.people.new_project()
        self.digest = self.people.approve(self.project)

    def begin(self) -> None:
        """Go away."""
        self._running.close()

    def end(self) -> str:
        """Serve again; return the URL."""
        return self._running.enter_context(serving(self._settings, self._port))


@pytest.fixture
def outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """A coordinator that is there, until the outage begins; `cape_default` leads to it, with a deadline of 3 s."""
    outage = Outage(tmp_path / "coordinator")
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(outage.people.connection(deadline=3)))
    yield outage
    outage.begin()


@pytest.fixture
def project(people: People) -> str:
    """A project without an approved policy."""
    return people.new_project()


@pytest.fixture
def connected(people: People, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """`cape_default` is the worker's connection."""
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection()))
    return monkeypatch


@pytest.fixture(autouse=True)
def own_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has an outbox of its own."""
    monkeypatch.setenv("AIRFLOW__CAPE__OUTBOX", str(tmp_path / "outbox"))
    return tmp_path / "outbox"
