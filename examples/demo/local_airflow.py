"""A whole Airflow on this machine: its own home, a free port, four processes, and none of them left behind."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import requests

T = TypeVar("T")

COMPONENTS = {
    "api-server": ("--host", "127.0.0.1", "--workers", "1"),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
USER = "admin"
POLL_SECONDS = 0.5
GRACE_SECONDS = 3
LONGEST_LINE = 2_000


class AirflowFailed(Exception):
    """Airflow did not do what was expected of it."""


class LocalAirflow:
    """Airflow with the embedded coordinator; starts when entered, and is gone when left, whatever happens.

    Args:
        home: becomes AIRFLOW_HOME; what is in it is removed.
        dags: folder of the DAG files.
    """

    def __init__(self, home: Path, dags: Path) -> None:
        self.home = home
        self.password = secrets.token_urlsafe(9)
        self.url = f"http://localhost:{_free_port()}"
        self.coordinator_url = f"{self.url}/cape"
        self._environment = _environment(home, dags, self.url)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._session = requests.Session()

    def __enter__(self) -> Self:
        shutil.rmtree(self.home, ignore_errors=True)
        self._logs.mkdir(parents=True)
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        passwords.write_text(json.dumps({USER: self.password}))
        try:
            self.run("airflow", "db", "migrate")
            for name, arguments in COMPONENTS.items():
                self._start(name, arguments)
            self.wait_for("the API server", self._healthy, seconds=180)
            self._log_in()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, module: str, *arguments: str) -> str:
        """Run `python -m module` in Airflow's environment to its end and return what it printed.

        Raises:
            AirflowFailed: it ended with an error.
        """
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AirflowFailed(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call Airflow's REST API and return its answer.

        Raises:
            AirflowFailed: the API said no.
        """
        answer = self._session.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=30)
        if not answer.ok:
            raise AirflowFailed(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def wait_for(self, what: str, probe: Callable[[], T | None], *, seconds: float) -> T:
        """Ask `probe` until it returns something true.

        Raises:
            AirflowFailed: a process died, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise AirflowFailed(f"Airflow's {name} ended with status {process.returncode}")
            if found := probe():
                return found
            time.sleep(POLL_SECONDS)
        raise AirflowFailed(f"{what}: not there after {seconds:.0f} s")

    def log_tails(self, lines: int = 25) -> str:
        """Return the last lines of every process and every task, for a person who wants to know what went wrong."""
        files = sorted(self._logs.glob("*.log")) + sorted((self.home / "logs").rglob("attempt=*.log"))
        return "\n".join(f"--- {file.relative_to(self.home)}\n{_tail(file, lines)}" for file in files)

    def stop(self) -> None:
        """End every process that was started, and what those started."""
        running = [psutil.Process(each.pid) for each in self._processes.values() if each.poll() is None]
        family = [*running, *(child for each in running for child in each.children(recursive=True))]
        for each in self._processes.values():
            _signal_group(each.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
        for survivor in alive:
            survivor.kill()
        psutil.wait_procs(alive, timeout=GRACE_SECONDS)
        for each in self._processes.values():
            each.wait()
        self._processes.clear()

    @property
    def _logs(self) -> Path:
        return self.home / "processes"

    def _start(self, name: str, arguments: tuple[str, ...]) -> None:
        with (self._logs / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", name, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _healthy(self) -> bool:
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor", "triggerer"))

    def _log_in(self) -> None:
        credentials = {"username": USER, "password": self.password}
        answer = self._session.post(f"{self.url}/auth/token", json=credentials, timeout=30)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _environment(home: Path, dags: Path, url: str) -> dict[str, str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CAPE_"))}
    return outside | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": url.rsplit(":", 1)[1],
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONWARNINGS": "ignore",
    }


def _tail(file: Path, lines: int) -> str:
    return "\n".join(line[:LONGEST_LINE] for line in file.read_text(errors="replace").splitlines()[-lines:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return
