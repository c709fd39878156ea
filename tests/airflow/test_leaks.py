"""Canaries in keys, tokens, rows and connections; failures at each step; a search wherever anything is kept."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import requests

from cape_airflow.client import CoordinatorClient
from cape_airflow.coordinator.root_key import read_root_key_file
from cape_airflow.keys import FileKeys, add_key
from cape_airflow.keys.encoding import from_base64url
from tests.airflow.conftest import RealAirflow, wait_for
from tests.airflow.coordinator import People
from tests.faults import proxy as faults
from tests.faults.proxy import Server
from tests.leaks.canaries import Canary, Search

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]

DAG = "cape_leaks"
DROPPED = 'Zoë "O\'Canary" 47/11+dropped'
HASHED = "émile.canary+47/12@example.com"
DSN_PASSWORD = "p@ss/Wörd+canary%4713"
EXTRA_SECRET = "extra/Sécret+canary&4714"
ENDS = {
    "succeeds": "success",
    "key_from_a_file": "success",
    "coordinator_takes_no_report": "success",
    "policy_is_wrong": "failed",
    "column_is_missing": "failed",
    "type_is_wrong": "failed",
    "key_is_missing": "failed",
    "coordinator_is_away": "failed",
    "coordinator_goes_before_the_commit": "failed",
    "target_cannot_be_written": "failed",
    "storage_is_away": "failed",
    "database_is_away": "failed",
    "function_fails": "failed",
}
POLICY = """
label: people
version: 2
domain: leaks
rules:
  - match: {name: email}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {name: name}
    actions: [drop]
  - match: {name: country}
    keep: {reason: not identifying at country level}
"""


@dataclass
class Scene:
    """What has happened: the DAG ran, all its failures are there, and one task hangs before its commit.

    Args:
        folder: holds the data of the tasks, and their outputs in `out`.
        began: when the canaries were planted, in seconds of the epoch.
    """

    airflow: RealAirflow
    people: People
    project: str
    folder: Path
    run: str
    canaries: list[Canary]
    search: Search
    began: float


@pytest.fixture(scope="module")
def proxies(real_airflow: RealAirflow) -> Iterator[dict[str, Server]]:
    """Ways to the coordinator on which it fails: at the commit, at reports, and by hanging at the commit."""
    servers = {name: Server(real_airflow.url) for name in ("leaks_commit", "leaks_report", "leaks_slow")}
    servers["leaks_commit"].proxy.plan("GET .*/jobs/[0-9a-f]{32}$", faults.down)
    servers["leaks_report"].proxy.plan("(PUT|POST) .*/jobs/", faults.down)
    servers["leaks_slow"].proxy.plan("GET .*/jobs/[0-9a-f]{32}$", faults.slow)
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def scene(
    real_airflow: RealAirflow, people: People, proxies: dict[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Scene:
    """Plant the canaries, run the DAG, look at what is there for a moment only, and kill the last task."""
    began, folder = time.time(), tmp_path_factory.mktemp("people")
    _write_people(folder)
    project, keyless = people.new_project(), people.new_project()
    people.approve(project, POLICY)
    people.approve(keyless, POLICY.replace("customer-id", "no-such-key"))
    _add_connections(real_airflow, people, proxies)
    canaries = [
        Canary.value("the API token", people.worker_token.rpartition(",")[2]),
        Canary.material("the root key", _root_key(real_airflow)),
        Canary.material("the key of the project", _project_key(people, project)),
        Canary.material("the key of the key file", _file_key(folder)),
        Canary.value("the password of a DSN", DSN_PASSWORD),
        Canary.value("the secret in the extra of a connection", EXTRA_SECRET),
        Canary.value("a value that is dropped", DROPPED),
        Canary.value("a value that is hashed", HASHED),
    ]
    run = real_airflow.run(DAG, folder=str(folder), project=project, keyless=keyless, undecided=people.new_project())
    scene = Scene(real_airflow, people, project, folder, run, canaries, Search(canaries), began)
    real_airflow.wait_for_state(DAG, run, "waits", "deferred", seconds=400)
    slow = proxies["leaks_slow"].proxy
    wait_for(
        "task at its commit", lambda: [one for one in slow.asked if one.startswith("GET ") and "/jobs/" in one], 300
    )
    _look_while_it_hangs(scene)
    os.kill(_task_at(slow.url), signal.SIGKILL)
    real_airflow.wait_for_state(DAG, run, "killed", "failed")
    return scene


def _write_people(folder: Path) -> None:
    rows = 6000
    people = {"email": [f"{n}@example.com" for n in range(rows)], "name": ["Ann"] * rows, "country": ["NL"] * rows}
    for row in (0, 1, rows - 1):
        people["email"][row], people["name"][row] = HASHED, DROPPED
    table = pa.table(people)
    pq.write_table(table, folder / "people.parquet")
    pq.write_table(table.drop_columns(["country"]), folder / "lacking.parquet")
    pa_csv.write_csv(table, folder / "people.csv")
    (folder / "policy.yaml").write_text(POLICY)
    add_key(folder / "keys.json", "customer-id")
    key = json.loads((folder / "keys.json").read_text())["customer-id"]["versions"]["1"]
    (folder / "wrong.yaml").write_text(POLICY.replace("{ref: customer-id}", key))
    (folder / "wrong.yaml").chmod(0o600)


def _add_connections(airflow: RealAirflow, people: People, proxies: dict[str, Server]) -> None:
    ways = {"leaks_dead": 1, **{name: int(server.proxy.url.rpartition(":")[2]) for name, server in proxies.items()}}
    for name, port in ways.items():
        deadline = 600 if name == "leaks_slow" else 2
        connection = people.connection(deadline=deadline) | {"port": port, "host": "127.0.0.1"}
        airflow.rest("POST", "/connections", {"connection_id": name, **connection})
    extra = {"aws_session_token": EXTRA_SECRET, "endpoint_url": "http://127.0.0.1:1", "region_name": "x"}
    storage = {"conn_type": "aws", "login": "AKIALEAKS", "password": DSN_PASSWORD, "extra": json.dumps(extra)}
    server = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "leaks", "schema": "leaks"}
    server |= {"password": DSN_PASSWORD, "extra": json.dumps({"sslpassword": EXTRA_SECRET})}
    for name, connection in {"leaks_aws": storage, "leaks_database": server}.items():
        airflow.rest("POST", "/connections", {"connection_id": name, **connection})


def _project_key(people: People, project: str) -> bytes:
    with CoordinatorClient(people.url, people.worker_token) as worker:
        return worker.key_material(project, "customer-id").version(1).reveal()


def _root_key(airflow: RealAirflow) -> bytes:
    return from_base64url(read_root_key_file(airflow.home / "cape" / "root.key").strip())


def _file_key(folder: Path) -> bytes:
    key = FileKeys(folder / "keys.json").get("customer-id")
    assert key is not None
    return key.version(1).reveal()


def _task_at(url: str) -> int:
    """Return the process that holds a connection to a server of this test."""
    port = int(url.rpartition(":")[2])
    [pid] = {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.raddr and one.raddr.port == port and one.status == "ESTABLISHED" and one.pid not in (None, os.getpid())
    }
    return int(pid)


def _look_while_it_hangs(scene: Scene) -> None:
    """Look at what is there for a moment only: processes, temporary files, and what the triggerer was given."""
    for process in psutil.process_iter():
        if process.pid != os.getpid():
            try:
                scene.search.look("command lines of processes", "\n".join(process.cmdline()), str(process.pid))
                environment = "\n".join(f"{name}={value}" for name, value in process.environ().items())
                scene.search.look("environments of processes", environment, str(process.pid))
            except psutil.Error:  # it is gone, or the system keeps it to itself
                continue
    scene.search.look_at_files("files that others may read", _readable_by_others(scene))
    scene.search.look_at_database("metadata database, while a task hangs and a sensor waits", _metadata(scene.airflow))


def _readable_by_others(scene: Scene) -> Iterator[Path]:
    """Yield what others may read of what was written since the beginning, but for the data that the tasks are given."""
    given = {path for path in scene.folder.iterdir() if path.is_file()}
    everywhere = [*scene.airflow.home.rglob("*"), *scene.folder.rglob("*"), *Path(tempfile.gettempdir()).iterdir()]
    for path in set(everywhere) - given:
        with suppress(OSError):  # gone meanwhile
            status = path.stat()
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o044 and status.st_mtime > scene.began:
                yield path


def _metadata(airflow: RealAirflow) -> str:
    return f"sqlite:///{airflow.home / 'airflow.db'}"


def test_every_task_met_its_failure(scene: Scene) -> None:
    states = {name: scene.airflow.task(DAG, scene.run, name)["state"] for name in [*ENDS, "killed", "waits"]}
    assert states == {**ENDS, "killed": "failed", "waits": "deferred"}
    said = {
        "policy_is_wrong": "PolicyError",
        "column_is_missing": "SchemaMismatch",
        "type_is_wrong": "DatasetError",
        "key_is_missing": "KeyUnavailable",
        "coordinator_is_away": "CoordinatorUnavailable",
        "coordinator_goes_before_the_commit": "CoordinatorUnavailable",
        "target_cannot_be_written": "DatasetError",
        "coordinator_takes_no_report": "is kept in",
        "function_fails": "ValueError",
    }
    for name, words in said.items():
        assert words in scene.airflow.log(DAG, scene.run, name), name
    outputs = {path.stem for path in (scene.folder / "out").iterdir() if not path.name.startswith(".")}
    assert outputs == {name for name, state in ENDS.items() if state == "success"}


def test_no_canary_is_found_in_any_place(scene: Scene) -> None:
    airflow, search = scene.airflow, scene.search
    tables = search.look_at_database("metadata database", _metadata(airflow))
    assert {"task_instance", "connection", "log", "dag_run", "job"} <= tables
    _look_at_tables(scene, xcom="XCom", rendered_task_instance_fields="rendered templates", trigger="trigger arguments")
    _look_at_tables(scene, serialized_dag="serialised DAGs")
    search.look_at_files("task logs", _files(airflow.home / "logs", "task_id="))
    search.look_at_files("logs of the processes", _files(airflow.home / "logs", "", but="task_id="))
    for component in ("api-server", "scheduler", "triggerer", "dag-processor"):
        search.look_at_files(f"output of the {component}", [airflow.console / f"{component}.log"])
    search.look_at_database("coordinator database", f"sqlite:///{airflow.home / 'cape' / 'coordinator.db'}")
    search.look("audit log", json.dumps([entry.model_dump(mode="json") for entry in scene.people.admin.audit()]))
    search.look("lineage events", airflow.lineage.read_bytes())
    search.look_at_files("outbox", _files(airflow.home / "cape" / "outbox", ""))
    for output in (scene.folder / "out").glob("*.parquet"):
        search.look("outputs", f"{pq.read_table(output).to_pylist()} {pq.read_schema(output).metadata}", output.name)
    _look_at_pages(scene)
    empty = {place for place, size in search.places.items() if not size}
    assert len(search.places) >= 12
    assert not empty - {"trigger arguments", "files that others may read"}, empty
    assert search.hits == []


def _look_at_tables(scene: Scene, **places: str) -> None:
    """Look once more into some tables by name: that each is really there."""
    with closing(sqlite3.connect(scene.airflow.home / "airflow.db")) as database:
        for table, place in places.items():
            scene.search.look(place, "\n".join(str(row) for row in database.execute(f"SELECT * FROM {table}")))


def _files(folder: Path, part: str, but: str | None = None) -> Iterable[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if part in str(path) and (but is None or but not in str(path))]


def _look_at_pages(scene: Scene) -> None:
    """Ask Airflow and the coordinator for what they show, and for what they refuse."""
    airflow, people = scene.airflow, scene.people
    run = f"/dags/{DAG}/dagRuns/{scene.run}"
    asked = ["/connections?limit=200", "/eventLogs?limit=1000", f"{run}/taskInstances?limit=100", "/importErrors"]
    asked += [f"{run}/taskInstances/{name}/xcomEntries" for name in ENDS]
    asked += [f"{run}/taskInstances/{name}/logs/1?full_content=true" for name in ENDS]
    for path in asked:
        scene.search.look("answers of Airflow", json.dumps(airflow.rest("GET", path), ensure_ascii=False), path)
    label = f"/v1/projects/{scene.project}"
    engineer = people.engineer._token.reveal().decode()
    for token in (people.admin_token, people.worker_token, engineer, None):
        for method, path, body in _questions(scene, label):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = requests.request(method, people.url + path, json=body, headers=headers, timeout=60)
            if not answer.ok or method == "GET":
                scene.search.look("answers of the coordinator", answer.content, f"{method} {path} {answer.status_code}")


def _questions(scene: Scene, label: str) -> Iterator[tuple[str, str, Any]]:
    """Yield what is asked of the coordinator: what is there, and bodies with canaries that it must refuse unsaid."""
    for path in ("", "/policy", "/keys", "/jobs", "/suggestions", "/policies", "/contributors", "/nowhere"):
        yield "GET", label + path, None
    yield from (("GET", path, None) for path in ("/projects", "/audit", "/login", "/v1/audit", "/v1/users", "/nowhere"))
    for value in (DROPPED, HASHED, DSN_PASSWORD, EXTRA_SECRET):
        yield "POST", f"{label}/suggestions", {"title": [value], "policy": {"x": value}}
        yield "PUT", f"{label}/jobs/{'a' * 32}", {"job_id": "a" * 32, "source": value, value: value}
        yield "POST", f"{label}/keys", {"name": "k", "bytes": value}
