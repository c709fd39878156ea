"""A real Airflow: api-server, scheduler, dag-processor and triggerer as processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.settings import Settings
from tests.airflow.coordinator import People

T = TypeVar("T")

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
HERE = Path(__file__).parent


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 120, every: float = 0.5) -> T:
    """Ask until the answer is true; fail when it is not within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(every)
    pytest.fail(f"no {what} within {seconds} s")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RealAirflow:
    """A running Airflow in a folder of its own; its API server serves the coordinator at /cape."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = _free_port()
        self.url = f"http://localhost:{self.port}"
        self.dags = home / "dags"
        self.console = home / "console"
        self.lineage = home / "lineage.jsonl"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._session = requests.Session()

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told; 127.0.0.1 only, no login, short intervals."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "CAPE_"))}
        return ours | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "2",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            # A machine whose first imports take minutes must not lose a DAG to the first timeout.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "240",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "120",  # the default loses events on a busy machine
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(self.lineage), "append": True}
            ),
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # a busy machine may take longer than five seconds
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # how soon a task learns that it is to stop
            "NO_COLOR": "1",
        }

    def migrate(self) -> None:
        """Create the metadata database."""
        with (self.console / "migrate.log").open("wb") as console:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=self.environment,
                stdout=console,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=300,
            )

    def start(self, component: str) -> None:
        """Start one component in a process group of its own; what it prints is kept."""
        with (self.console / f"{component}.log").open("ab") as console:
            self._processes[component] = subprocess.Popen(
                [sys.executable, "-m", "airflow", component],
                env=self.environment,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.home,
            )

    def kill(self, component: str) -> None:
        """Kill one component and its children, without giving them a chance to clean up."""
        process = self._processes.pop(component)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

    def stop(self) -> None:
        """Kill all that runs: the folder is thrown away."""
        for component in list(self._processes):
            self.kill(component)

    def wait_until_healthy(self) -> None:
        """Wait until every component reports that it is alive."""
        wait_for("healthy Airflow", self._healthy, 300)

    def _healthy(self) -> bool:
        dead = [name for name, process in self._processes.items() if process.poll() is not None]
        if dead:
            pytest.fail(f"{dead} ended:\n" + (self.console / f"{dead[0]}.log").read_text()[-3000:])
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
        except requests.RequestException:
            return False
        return all(
            health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Call Airflow's REST API as an admin."""
        if "Authorization" not in self._session.headers:
            token = requests.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
        response = self._session.request(method, f"{self.url}/api/v2{path}", json=body, timeout=60)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def add_dag(self, file: Path) -> None:
        """Put a DAG file among the others."""
        shutil.copy(file, self.dags / file.name)

    def run(self, dag_id: str, **conf: Any) -> str:
        """Start a run of a DAG as soon as it is parsed, and return its id."""

        def known() -> bool:
            return bool(self.rest("GET", f"/dags?dag_id_pattern={dag_id}")["dags"])

        wait_for(f"DAG {dag_id}", known, 300)
        self.rest("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        return str(self.rest("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """Return what Airflow knows of a task instance."""
        return dict(self.rest("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"))

    def wait_for_state(self, dag_id: str, run_id: str, task_id: str, *states: str, seconds: float = 180) -> str:
        """Wait until a task is in one of these states; fail at once when it ends in another."""

        def state() -> str | None:
            now = self.task(dag_id, run_id, task_id)["state"]
            if now in {"failed", "success", "upstream_failed", "skipped", *states} and now not in states:
                pytest.fail(f"{dag_id}.{task_id} is {now}, not {states}:\n{self.log(dag_id, run_id, task_id)[-6000:]}")
            return now if now in states else None

        return wait_for(f"{dag_id}.{task_id} in {states}", state, seconds)

    def log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the task's log files, all tries."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        return "\n".join(file.read_text() for file in sorted(folder.rglob("*.log*")) if file.is_file())

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return an XCom value."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.rest("GET", path)["value"]


@pytest.fixture(scope="session")
def real_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """A healthy Airflow with our plugin, our test DAGs and the example DAGs."""
    import cape_airflow.example_dags as examples

    airflow = RealAirflow(tmp_path_factory.mktemp("airflow"))
    airflow.dags.mkdir()
    airflow.console.mkdir()
    for file in [*(HERE / "dags").glob("*.py"), *Path(examples.__path__[0]).glob("cape_*.py")]:
        airflow.add_dag(file)
    airflow.migrate()
    try:
        for component in COMPONENTS:
            airflow.start(component)
        airflow.wait_until_healthy()
        yield airflow
    finally:
        airflow.stop()


@pytest.fixture(scope="session")
def people(real_airflow: RealAirflow) -> People:
    """The people of the embedded coordinator; Airflow knows the worker's token as `cape_default`."""
    token = initialise(Settings(home=real_airflow.home / "cape"), "admin@example.com", "admin")
    people = People(f"{real_airflow.url}/cape", token)
    real_airflow.rest("POST", "/connections", {"connection_id": "cape_default", **people.connection()})
    return people
