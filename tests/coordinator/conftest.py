"""Real coordinators on real databases: SQLite, and a PostgreSQL server of our own on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr, TypeAdapter
from sqlalchemy import text
from starlette.testclient import TestClient

from cape_airflow.coordinator.answers import GivenAnswer, Place
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.csrf import csrf_token
from cape_airflow.coordinator.identities import Identity, admit
from cape_airflow.coordinator.people import find_user
from cape_airflow.coordinator.review.question import Question
from cape_airflow.coordinator.sessions import find_session, open_session
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.store.models import Scheduler, SchedulerJob
from cape_airflow.jobs.schedulers import ExternalJob, ExternalState
from tests import needs

ROLES = {
    "owner": "project-owner",
    "contributor": "project-contributor",
    "reader": "project-reader",
    "worker": "worker",
}
POLICY = """\
label: customers
version: 2
default: keep
rules:
  - match: {name: email}
    actions: [drop]
"""


class TurnableClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


class Book:
    """The records of a system around the coordinator, where people are known by their email."""

    name = "book"
    issuer = "tests"
    root = "/cape"

    def __init__(self) -> None:
        self.answers: dict[Place, GivenAnswer] = {}

    def find(self, place: Place) -> GivenAnswer | None:
        return self.answers.get(place)


@dataclass
class Deployment:
    """A coordinator with an admin, and short words for what tests do with it."""

    settings: Settings
    admin: str
    clock: TurnableClock = field(default_factory=TurnableClock)
    book: Book = field(default_factory=Book)

    @cached_property
    def app(self) -> FastAPI:
        return create_app(self.settings, clock=self.clock, answers=self.book)

    @cached_property
    def http(self) -> TestClient:
        return TestClient(self.app, raise_server_exceptions=False, client=("127.0.0.1", 50000))

    def ask(self, method: str, path: str, token: str | None = None, json: Any = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.request(method, path, json=json, headers=headers | more.pop("headers", {}), **more)

    def done(self, method: str, path: str, token: str, json: Any = None, **more: Any) -> Any:
        """Ask for what must succeed, and return the answer's data."""
        response = self.ask(method, path, token, json, **more)
        assert response.is_success, (method, path, response.status_code, response.text)
        return response.json() if response.content else None

    def user(self, name: str, *, role: str = "user") -> str:
        """Make a user, and return his token."""
        email = f"{name}@example.com"
        self.done("POST", "/v1/users", self.admin, {"email": email, "name": name, "role": role})
        return self.token(email)

    def bind(self, email: str) -> None:
        """Have somebody visit by way of the system around us, where he is called by his email."""
        coordinator = self.app.state.coordinator
        with coordinator.store.write() as session:
            call = Call(coordinator, session, None, None, coordinator.clock(), None, None)
            admit(call, Identity(self.book.issuer, email, email, email))
            session.commit()

    def token(self, email: str, **more: Any) -> str:
        made = self.done("POST", "/v1/tokens", self.admin, {"description": "test", "user_email": email} | more)
        return str(made["token"])

    def browser(self, email: str) -> Browser:
        """Open a session of a user, as his log in does, and return his browser."""
        coordinator = self.app.state.coordinator
        with coordinator.store.write() as session:
            call = Call(coordinator, session, None, None, coordinator.clock(), None, None)
            user = find_user(session, email)
            assert user is not None
            ticket = open_session(call, user)
            session.commit()
            row = find_session(session, ticket, coordinator.clock())
        assert row is not None
        return Browser(self, ticket.write(), csrf_token(coordinator.root_key, row.id))

    def join(self, project: str, name: str, role: str) -> None:
        self.done("PUT", f"/v1/projects/{project}/contributors/{name}@example.com", self.admin, {"role": role})

    def project(self, label: str = "customers") -> Project:
        """Make a project with one user of every role; the admin is its first owner."""
        self.done("POST", "/v1/projects", self.admin, {"name": label, "label": label})
        tokens = {}
        for name, role in ROLES.items():
            tokens[name] = self.user(f"{label}-{name}")
            self.join(label, f"{label}-{name}", role)
        return Project(self, label, **tokens)

    def rows(self, query: str) -> Sequence[Any]:
        with self.app.state.coordinator.store.read() as session:
            return session.execute(text(query)).all()

    def close(self) -> None:
        if "app" in self.__dict__:
            self.app.state.coordinator.store.close()


@dataclass
class Browser:
    """A browser with a session: it keeps its cookie, and knows the token that its pages carry."""

    deployment: Deployment
    cookie: str
    csrf: str

    def ask(self, method: str, path: str, json: Any = None, *, csrf: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Cookie": f"cape_session={self.cookie}", "Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            headers["X-CSRF-Token"] = self.csrf if csrf is None else csrf
        headers |= more.pop("headers", {})
        more.setdefault("follow_redirects", False)
        return self.deployment.ask(method, path, json=json, headers=headers, **more)


@dataclass
class Project:
    """A project in a deployment, with the tokens of its people."""

    deployment: Deployment
    label: str
    owner: str
    contributor: str
    reader: str
    worker: str

    @property
    def path(self) -> str:
        return f"/v1/projects/{self.label}"

    def join(self, name: str, role: str) -> None:
        self.deployment.join(self.label, name, role)

    def suggest(self, policy: str = POLICY, **more: Any) -> Any:
        body = {"title": "first", "policy": policy} | more
        return self.deployment.done("POST", f"{self.path}/suggestions", self.contributor, body)

    def review(self, suggestion: Any, verdict: str, token: str | None = None, **more: Any) -> httpx.Response:
        body = {"digest": suggestion["digest"], "comment": "seen"} | more
        path = f"{self.path}/suggestions/{suggestion['id']}/{verdict}"
        return self.deployment.ask("POST", path, token or self.owner, body)

    def answered(self, suggestion: Any, chosen: str, name: str = "owner", **more: Any) -> dict[str, Any]:
        """Have somebody answer the question about a suggestion elsewhere; return where, as a worker says it."""
        email = f"{self.label}-{name}@example.com"
        self.deployment.bind(email)
        asked = self.deployment.done("GET", f"{self.path}/suggestions/{suggestion['id']}/question", self.worker)
        question = Question(asked["subject"], asked["body"], tuple(asked["options"]), asked["params"])
        given = GivenAnswer(question, email, self.deployment.clock(), (chosen,), "seen")
        place = Place("dag", suggestion["id"], secrets.token_hex(4))
        self.deployment.book.answers[place] = replace(given, **more)
        return {"dag_id": place.dag_id, "run_id": place.run_id, "task_id": place.task_id}

    def carry(self, suggestion: Any, place: dict[str, Any], token: str | None = None) -> httpx.Response:
        path = f"{self.path}/suggestions/{suggestion['id']}/answers"
        return self.deployment.ask("POST", path, token or self.worker, place)

    def approved(self, policy: str = POLICY) -> Any:
        """Suggest and approve, and return the suggestion as it is then."""
        response = self.review(self.suggest(policy), "approve")
        assert response.is_success, response.text
        return response.json()

    def job(self, digest: str, job_id: str = "0a" * 16, **more: Any) -> dict[str, Any]:
        """Return the body of a job's start."""
        return {
            "job_id": job_id,
            "policy_digest": digest,
            "engine": "local",
            "kernels": "python",
            "source": "s3://in/customers.parquet",
            "target": "s3://out/customers.parquet",
            "started_at": "2026-11-21T12:00:00Z",
            "origin": {"dag_id": "cape_customers"},
        } | more


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server; `control` runs pg_ctl on it."""

    address: str
    control: Callable[..., None]

    def database(self, template: str = "template0") -> str:
        """Make a database, and return its URL."""
        name = f"cape_{secrets.token_hex(6)}"
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"{self.address}/{name}"

    def drop(self, url: str) -> None:
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binaries() -> Path | None:
    """Where initdb and postgres are: Debian's folder of the newest version, or the PATH's."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def running_postgresql(folder: Path, *, durable: bool = False) -> Iterator[Server]:
    binary = binaries()
    assert binary is not None
    # The server refuses to run as root.
    drop = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if drop:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", _free_port()

    def run(program: str, *arguments: str) -> None:
        command = [*drop, str(binary / program), "-D", str(data), *arguments]
        subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    run("initdb", "--auth=trust", "--username=cape", "--encoding=UTF8", "--locale=C", "--no-sync")

    def control(verb: str, *arguments: str) -> None:
        log = ["-l", str(folder / "log")] if verb == "start" else []
        run("pg_ctl", verb, "-w", *log, *arguments)

    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "max_connections": 200}
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in (options | {"fsync": durable}).items())
    control("start")
    try:
        yield Server(f"postgresql://cape@127.0.0.1:{port}", control)
    finally:
        control("stop", "-m", "immediate")


@contextmanager
def throw_away_postgresql(*, durable: bool = False) -> Iterator[Server]:
    """Without binaries tests are skipped on a developer's machine, and fail in CI."""
    if binaries() is None:
        needs.missing("no PostgreSQL server binaries (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="cape-postgresql-"))
    try:
        with running_postgresql(folder, durable=durable) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A throw-away PostgreSQL server for all tests."""
    with throw_away_postgresql() as server:
        yield server


@pytest.fixture
def mortal_postgresql() -> Iterator[Server]:
    """A PostgreSQL server of this test alone, which may be killed."""
    with throw_away_postgresql(durable=True) as server:
        yield server


ROOT_KEY = urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")


def settings_for(home: Path, url: str | None = None, **more: Any) -> Settings:
    """Settings of a test: no throttling, for tests fail to authenticate all the time."""
    given = {"home": home, "failures_per_minute": 100_000, "lock_seconds": 2} | more
    return Settings(**given, db_url=SecretStr(url) if url else None, root_key=SecretStr(ROOT_KEY))


@dataclass(frozen=True)
class Prepared:
    """A database with an admin and the project `customers`, to be copied: making them again takes longer."""

    place: str
    admin: str
    people: dict[str, str]


def prepare(settings: Settings, place: str) -> Prepared:
    deployment = Deployment(settings, initialise(settings, "admin@example.com", "Ada"))
    deployment.clock.now = datetime.now(UTC)
    project = deployment.project()
    deployment.close()
    return Prepared(place, deployment.admin, {name: getattr(project, name) for name in ROLES})


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    home = tmp_path_factory.mktemp("prepared")
    return prepare(settings_for(home), str(home))


@pytest.fixture(scope="session")
def prepared_postgresql(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    url = postgresql.database()
    return prepare(settings_for(tmp_path_factory.mktemp("home"), url), url.rpartition("/")[2])


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database: every test that asks for one runs on both."""
    return str(request.param)


@pytest.fixture(scope="session")
def prepared(kind: str, request: pytest.FixtureRequest) -> Prepared:
    made: Prepared = request.getfixturevalue(f"prepared_{kind}")
    return made


@dataclass
class Maker:
    """Makes settings of deployments of their own, with an admin and the project `customers`; clears up after them."""

    prepared: Prepared
    folder: Path
    server: Server | None
    urls: list[str] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)

    def settings(self, **more: Any) -> Settings:
        home = self.folder / secrets.token_hex(4)
        if self.server is None:
            shutil.copytree(self.prepared.place, home)
            return settings_for(home, **more)
        self.urls.append(self.server.database(self.prepared.place))
        return settings_for(home, self.urls[-1], **more)

    def empty_settings(self) -> Settings:
        """Settings of a database in which there is nothing, not even a schema."""
        if self.server is not None:
            self.urls.append(self.server.database())
        return settings_for(self.folder / "empty", self.urls[-1] if self.server else None)

    def deployment(self, **more: Any) -> Deployment:
        deployment = Deployment(self.settings(**more), self.prepared.admin)
        # Its tokens were made when the template was, by the clock of this machine.
        deployment.clock.now = datetime.now(UTC)
        self.deployments.append(deployment)
        return deployment

    def clear(self) -> None:
        for deployment in self.deployments:
            deployment.close()
        for url in self.urls:
            assert self.server is not None
            self.server.drop(url)


@pytest.fixture(scope="session")
def server(kind: str, request: pytest.FixtureRequest) -> Server | None:
    """The PostgreSQL server, where the test runs on one."""
    return request.getfixturevalue("postgresql") if kind == "postgresql" else None


@pytest.fixture
def maker(prepared: Prepared, server: Server | None, tmp_path: Path) -> Iterator[Maker]:
    maker = Maker(prepared, tmp_path, server)
    yield maker
    maker.clear()


@pytest.fixture
def deployment(maker: Maker) -> Deployment:
    return maker.deployment()


@pytest.fixture
def project(deployment: Deployment, prepared: Prepared) -> Project:
    """The project `customers`, with one user of every role; the admin is its first owner."""
    return Project(deployment, "customers", **prepared.people)


@pytest.fixture(scope="module")
def shared_deployment(
    prepared: Prepared, server: Server | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """One deployment for all tests of a module, which must not care for what the others leave there."""
    maker = Maker(prepared, tmp_path_factory.mktemp("shared"), server)
    yield maker.deployment()
    maker.clear()


@pytest.fixture(scope="module")
def shared_project(shared_deployment: Deployment, prepared: Prepared) -> Project:
    return Project(shared_deployment, "customers", **prepared.people)


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody uses."""
    return _free_port()


@pytest.fixture
def policy_text() -> str:
    """The policy that projects of these tests suggest."""
    return POLICY


Example = Callable[[Project], tuple[str, Any]]
"""Makes what a route needs, and returns the path and body of a request that then succeeds."""


_VERDICTS = ("/approve", "/reject", "/request-changes", "/break-glass")


def _suggestion(verb: str, **body: Any) -> Example:
    def example(project: Project) -> tuple[str, Any]:
        suggestion = project.suggest()
        digest = {"digest": suggestion["digest"]} if verb in _VERDICTS else {}
        return f"{project.path}/suggestions/{suggestion['id']}{verb}", (digest | body) or None

    return example


def _answered(project: Project) -> tuple[str, Any]:
    suggestion = project.suggest()
    place = project.answered(suggestion, "Request changes")
    return f"{project.path}/suggestions/{suggestion['id']}/answers", place


def _own_suggestion(project: Project) -> tuple[str, Any]:
    return f"{project.path}/suggestions/{project.suggest()['id']}/withdraw", None


def _in_emergency(project: Project) -> tuple[str, Any]:
    """What a new owner put in force without a review, for another one to confirm."""
    suggestion, name = project.suggest(_new_policy()), f"breaker-{secrets.token_hex(4)}"
    path, digest = f"{project.path}/suggestions/{suggestion['id']}", {"digest": suggestion["digest"]}
    breaker = project.deployment.user(name)
    project.join(name, "project-owner")
    project.deployment.done("POST", f"{path}/break-glass", breaker, digest | {"reason": "a fire"})
    return f"{path}/after-review", digest | {"verdict": "confirm"}


def _emergency(project: Project) -> tuple[str, Any]:
    """A suggestion for an owner who owes no after-review: what was in force without one is objected to first."""
    deployment, path = project.deployment, f"{project.path}/suggestions"
    for made in deployment.done("GET", f"{path}?limit=200", project.reader)["items"]:
        breakers = [review["reviewer"] for review in made["reviews"] if review["verdict"] == "break-glass"]
        if breakers and made["reviewed_at"] is None:
            judge = project.owner if breakers == ["admin@example.com"] else deployment.admin
            body = {"digest": made["digest"], "verdict": "object", "comment": "no"}
            deployment.done("POST", f"{path}/{made['id']}/after-review", judge, body)
    return _suggestion("/break-glass", reason="an emergency")(project)


def _dry_run(project: Project) -> tuple[str, Any]:
    suggestion = project.suggest()
    column = {"name": "email", "input_type": "string", "decision": "dropped", "distinct_before": 90, "nulls_before": 3}
    shapes = {"shapes_before": [{"shape": "xxx@xxxx.xx", "rows": 40}]}
    body = {"rows_in": 100, "rows_out": 100, "columns": [column | shapes], "made_at": "2026-11-21T12:00:00Z"}
    return f"{project.path}/suggestions/{suggestion['id']}/dry-runs", {"policy_digest": suggestion["digest"], **body}


def _two_versions(project: Project) -> tuple[str, Any]:
    before, after = project.approved(_new_policy()), project.suggest(_new_policy())
    return f"{project.path}/diff?before={before['digest']}&after={after['id']}.1", None


def _newcomer(project: Project) -> tuple[str, Any]:
    name = f"new-{secrets.token_hex(4)}"
    project.deployment.user(name)
    project.join(name, "project-reader")
    return f"{project.path}/contributors/{name}@example.com", None


def _of_user(verb: str, method_body: Any = None) -> Example:
    def example(project: Project) -> tuple[str, Any]:
        name = f"user-{secrets.token_hex(4)}"
        project.deployment.user(name)
        return f"/v1/users/{name}@example.com{verb}", method_body

    return example


def _service_account(project: Project) -> tuple[str, Any]:
    return f"{project.path}/workers", {"email": f"{secrets.token_hex(4)}@example.com", "name": "Nightly"}


def _service_token(project: Project) -> tuple[str, Any]:
    path, body = _service_account(project)
    project.deployment.done("POST", path, project.owner, body)
    return f"{path}/{body['email']}/tokens", {"description": "nightly"}


def _key(verb: str, **body: Any) -> Example:
    def example(project: Project) -> tuple[str, Any]:
        name = f"key-{secrets.token_hex(4)}"
        project.deployment.done("POST", f"{project.path}/keys", project.owner, {"name": name})
        return f"{project.path}/keys/{name}{verb}", body or None

    return example


def _old_version(verb: str) -> Example:
    def example(project: Project) -> tuple[str, Any]:
        key, _ = _key("")(project)
        project.deployment.done("POST", f"{key}/rotate", project.owner)
        return f"{key}/versions/1{verb}", None

    return example


def _retired_version(project: Project) -> tuple[str, Any]:
    version, _ = _old_version("")(project)
    project.deployment.done("POST", f"{version}/retire", project.owner)
    return f"{version}/destroy", {"confirm": version.split("/")[-3]}


def _new_worker(project: Project) -> tuple[str, Any]:
    name = f"worker-{secrets.token_hex(4)}"
    project.deployment.user(name)
    project.join(name, "worker")
    return f"{project.path}/contributors/{name}@example.com/reveal", {"may_reveal": True}


def _revealed_key(project: Project) -> tuple[str, Any]:
    key, _ = _key("")(project)
    worker = f"{project.path}/contributors/{project.label}-worker@example.com/reveal"
    project.deployment.done("PUT", worker, project.owner, {"may_reveal": True})
    return f"{key}/reveal", {"purpose": "a complaint of a customer", "row_limit": 10}


def _new_job(project: Project) -> tuple[str, Any]:
    job_id = secrets.token_hex(16)
    return f"{project.path}/jobs/{job_id}", project.job(project.approved(_new_policy())["digest"], job_id)


def _new_policy() -> str:
    return POLICY.replace("email", f"column_{secrets.token_hex(4)}")


def _job(verb: str, body: Any = None) -> Example:
    def example(project: Project) -> tuple[str, Any]:
        path, start = _new_job(project)
        project.deployment.done("PUT", path, project.worker, start)
        return path + verb, body

    return example


def _verified_job(project: Project) -> tuple[str, Any]:
    path, start = _new_job(project)
    project.deployment.done("PUT", path, project.worker, start)
    project.deployment.done("POST", f"{path}/finish", project.worker, FINISH)
    found = {"policy_digest": start["policy_digest"], "rows_in": 10, "rows_out": 9, "made_at": "2026-11-21T12:01:00Z"}
    verdict = {"check": "token-grammar", "column": "email", "rule": "rules[0].actions[0]", "outcome": "kept"}
    return f"{path}/verdicts", found | {"verdicts": [verdict]}


def _at(path: str) -> Example:
    return lambda project: (path.replace("{label}", project.label), None)


def _user(_project: Project) -> tuple[str, Any]:
    return "/v1/users", {"email": f"{secrets.token_hex(4)}@example.com", "name": "Somebody"}


def _log_in_with_a_token(project: Project) -> tuple[str, Any]:
    """A log in of a client of Cape, which sends the secret without the byte of the version before it."""
    token_id, secret = project.reader.split(",")
    bare = urlsafe_b64encode(urlsafe_b64decode(secret + "==")[1:]).decode().rstrip("=")
    return "/v1/login", {"token_id": token_id, "secret": bare}


def _new_project(_project: Project) -> tuple[str, Any]:
    return "/v1/projects", {"name": f"p {secrets.token_hex(4)}"}


def _new_key(project: Project) -> tuple[str, Any]:
    return f"{project.path}/keys", {"name": f"k{secrets.token_hex(4)}", "bytes": 64}


def _scheduler_job(project: Project) -> tuple[str, Any]:
    """A job of another scheduler as a poll leaves it."""
    coordinator = project.deployment.app.state.coordinator
    job = ExternalJob("application_1_1", "etl", "ann", ExternalState.RUNNING, "RUNNING")
    document = TypeAdapter(ExternalJob).dump_python(job, mode="json")
    now, name, id = coordinator.clock(), secrets.token_hex(8), secrets.token_hex(13)
    with coordinator.store.write() as session:
        far = Scheduler(name=name, kind="yarn", next_poll_at=now)
        session.add(far)
        session.flush()
        more = {"external_id": "application_1_1", "spark": True, "active": True, "document": document, "seen_at": now}
        session.add(SchedulerJob(id=id, scheduler_seq=far.seq, **more))
        session.commit()
    return f"/v1/schedulers/jobs/{id}/cancel", None


def _approved(path: str) -> Example:
    return lambda project: (project.path + path.format(digest=project.approved(_new_policy())["digest"]), None)


FINISH = {
    "state": "succeeded",
    "progress": {"rows_in": 10, "rows_out": 9},
    "columns": [{"name": "email", "techniques": ["suppress-attribute"], "decision": "dropped", "values": 9}],
    "finished_at": "2026-11-21T12:00:09Z",
}

_PROJECT = "/v1/projects/{label}"

EXAMPLES: dict[tuple[str, str], Example] = {
    ("GET", "/v1/health"): _at("/v1/health"),
    ("GET", "/v1/ready"): _at("/v1/ready"),
    ("GET", "/v1/version"): _at("/v1/version"),
    ("GET", "/v1/signing-keys"): _at("/v1/signing-keys"),
    ("GET", "/v1/openapi.json"): _at("/v1/openapi.json"),
    ("GET", "/v1/me"): _at("/v1/me"),
    ("POST", "/v1/login"): _log_in_with_a_token,
    ("POST", "/v1/query"): lambda _project: ("/v1/query", {"query": "query Me() { me { id } }"}),
    ("POST", "/v1/users"): _user,
    ("GET", "/v1/users"): _at("/v1/users"),
    ("GET", "/v1/users/{email}"): _of_user(""),
    ("PUT", "/v1/users/{email}/role"): _of_user("/role", {"role": "auditor"}),
    ("POST", "/v1/users/{email}/deactivate"): _of_user("/deactivate"),
    ("POST", "/v1/users/{email}/activate"): _of_user("/activate"),
    ("POST", "/v1/users/{email}/link"): _of_user("/link"),
    ("POST", _PROJECT + "/workers"): _service_account,
    ("POST", _PROJECT + "/workers/{email}/tokens"): _service_token,
    ("POST", "/v1/tokens"): lambda _project: ("/v1/tokens", {"description": "mine"}),
    ("GET", "/v1/tokens"): _at("/v1/tokens"),
    ("POST", "/v1/projects"): _new_project,
    ("GET", "/v1/projects"): _at("/v1/projects"),
    ("GET", _PROJECT): _at(_PROJECT),
    ("PATCH", _PROJECT): lambda project: (project.path, {"description": secrets.token_hex(4)}),
    ("GET", _PROJECT + "/contributors"): _at(_PROJECT + "/contributors"),
    ("PUT", _PROJECT + "/contributors/{email}"): lambda project: (
        _newcomer(project)[0],
        {"role": "project-contributor"},
    ),
    ("DELETE", _PROJECT + "/contributors/{email}"): _newcomer,
    ("PUT", _PROJECT + "/contributors/{email}/reveal"): _new_worker,
    ("POST", _PROJECT + "/suggestions"): lambda project: (
        f"{project.path}/suggestions",
        {"title": "one more", "policy": POLICY},
    ),
    ("GET", _PROJECT + "/suggestions"): _at(_PROJECT + "/suggestions"),
    ("GET", _PROJECT + "/suggestions/{id}"): _suggestion(""),
    ("POST", _PROJECT + "/suggestions/{id}/approve"): _suggestion("/approve"),
    ("POST", _PROJECT + "/suggestions/{id}/reject"): _suggestion("/reject", comment="no"),
    ("PATCH", _PROJECT + "/suggestions/{id}"): _suggestion("", revision=1, title="better"),
    ("GET", _PROJECT + "/suggestions/{id}/revisions"): _suggestion("/revisions"),
    ("GET", _PROJECT + "/suggestions/{id}/review"): _suggestion("/review"),
    ("POST", _PROJECT + "/suggestions/{id}/rebase"): _suggestion("/rebase", revision=1),
    ("POST", _PROJECT + "/suggestions/{id}/withdraw"): _own_suggestion,
    ("POST", _PROJECT + "/suggestions/{id}/request-changes"): _suggestion("/request-changes", comment="not yet"),
    ("POST", _PROJECT + "/suggestions/{id}/break-glass"): _emergency,
    ("POST", _PROJECT + "/suggestions/{id}/after-review"): _in_emergency,
    ("POST", _PROJECT + "/suggestions/{id}/comments"): _suggestion("/comments", text="hm", line=1),
    ("POST", _PROJECT + "/suggestions/{id}/dry-runs"): _dry_run,
    ("GET", _PROJECT + "/suggestions/{id}/question"): _suggestion("/question"),
    ("POST", _PROJECT + "/suggestions/{id}/answers"): _answered,
    ("GET", _PROJECT + "/review-rule"): _at(_PROJECT + "/review-rule"),
    ("PUT", _PROJECT + "/review-rule"): lambda project: (
        f"{project.path}/review-rule",
        {"quorum": {"project-owner": 1}},
    ),
    ("GET", _PROJECT + "/diff"): _two_versions,
    ("GET", _PROJECT + "/policies"): _at(_PROJECT + "/policies"),
    ("POST", _PROJECT + "/policies/{digest}/suggest"): lambda project: (
        f"{project.path}/policies/{project.approved(_new_policy())['digest']}/suggest",
        {"title": "back to it"},
    ),
    ("GET", _PROJECT + "/policy"): _approved("/policy"),
    ("GET", _PROJECT + "/policies/{digest}"): _approved("/policies/{digest}"),
    ("POST", _PROJECT + "/keys"): _new_key,
    ("GET", _PROJECT + "/keys"): _at(_PROJECT + "/keys"),
    ("PATCH", _PROJECT + "/keys/{name}"): _key("", rotate_after_days=90),
    ("POST", _PROJECT + "/keys/{name}/rotate"): _key("/rotate"),
    ("POST", _PROJECT + "/keys/{name}/versions/{version}/retire"): _old_version("/retire"),
    ("POST", _PROJECT + "/keys/{name}/versions/{version}/destroy"): _retired_version,
    ("GET", _PROJECT + "/keys/{name}/material"): _key("/material"),
    ("POST", _PROJECT + "/keys/{name}/reveal"): _revealed_key,
    ("PUT", _PROJECT + "/jobs/{job_id}"): _new_job,
    ("POST", _PROJECT + "/jobs/{job_id}/heartbeat"): _job("/heartbeat", {"rows_in": 5}),
    ("POST", _PROJECT + "/jobs/{job_id}/finish"): _job("/finish", FINISH),
    ("POST", _PROJECT + "/jobs/{job_id}/verdicts"): _verified_job,
    ("GET", _PROJECT + "/jobs"): _at(_PROJECT + "/jobs"),
    ("GET", _PROJECT + "/jobs/{job_id}"): _job(""),
    ("GET", "/v1/schedulers"): _at("/v1/schedulers"),
    ("GET", "/v1/schedulers/jobs"): _at("/v1/schedulers/jobs"),
    ("GET", "/v1/schedulers/summary"): _at("/v1/schedulers/summary"),
    ("POST", "/v1/schedulers/jobs/{scheduler_job}/cancel"): _scheduler_job,
    ("GET", "/v1/audit"): _at("/v1/audit"),
    ("GET", "/v1/audit/export"): _at("/v1/audit/export"),
    ("GET", "/metrics"): _at("/metrics"),
}


@pytest.fixture(scope="session")
def examples() -> dict[tuple[str, str], Example]:
    """A request that succeeds for every route; DELETE of a token, which is the caller's own, is apart."""
    return EXAMPLES


class _Thread(uvicorn.Server):
    """A server in a thread of the test; signals stay with the test."""

    def install_signal_handlers(self) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serve an app over real HTTP on a port of its own, and return its URL."""
    running: list[tuple[_Thread, Thread]] = []

    def start(app: FastAPI) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = _Thread(uvicorn.Config(app, log_level="warning"))
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


SERVE = """
import sys, uvicorn
from cape_airflow.coordinator.app import create_app
uvicorn.run(create_app(), port=int(sys.argv[1]), log_level="warning")
"""


@dataclass
class Process:
    """A coordinator in a process of its own, which may be killed."""

    settings: Settings
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = os.environ | {"CAPE_HOME": str(self.settings.home), "CAPE_ROOT_KEY": ROOT_KEY}
        if self.settings.db_url:
            environment["CAPE_DB_URL"] = self.settings.db_url.get_secret_value()
        self.process = subprocess.Popen([sys.executable, "-c", SERVE, str(self.port)], env=environment)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/v1/health", timeout=5).is_success:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, "the coordinator did not start"
                time.sleep(0.02)
        raise AssertionError("the coordinator does not answer")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def deploy_on(tmp_path: Path) -> Iterator[Callable[[str], Deployment]]:
    """Make a deployment from nothing in a database that is given by its URL."""
    made: list[Deployment] = []

    def make(url: str) -> Deployment:
        settings = settings_for(tmp_path / "home", url)
        made.append(Deployment(settings, initialise(settings, "admin@example.com", "Ada")))
        made[-1].clock.now = datetime.now(UTC)
        return made[-1]

    yield make
    for deployment in made:
        deployment.close()


@pytest.fixture
def served(maker: Maker) -> Iterator[Process]:
    """A coordinator behind real HTTP in a process of its own."""
    process = Process(maker.settings())
    process.start()
    yield process
    process.kill()
