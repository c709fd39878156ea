"""A real Spark on loopback, for the tests of the operator: a standalone cluster and a Connect server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyspark
import pytest

from benchmarks import environments
from cape_airflow.engines.spark.package import write_package
from tests import needs
from tests.airflow.conftest import wait_for

SPARK = Path(pyspark.__file__).parent
LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost", "SPARK_PUBLIC_DNS": "localhost"}
DAEMONS = {
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_DAEMON_MEMORY": "512m",  # the Connect server, which takes this too, starts with no less
    "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",  # it would take a port that is not ours
}
SMALL = {
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.port": "0",
}
"""Properties of every application here."""

ON_EXECUTORS = ["cryptography", "fsspec", "numpy", "pandas", "pyarrow", "pydantic", "pyyaml", "rfc8785", "sqlglot"]
"""What an executor needs besides Spark and our zip; docs/spark.md names the same."""


@dataclass
class Cluster:
    """A master with two workers of one core each, and how executors run Python there."""

    master: str
    pages: str
    python: Path
    package: Path

    @property
    def conf(self) -> dict[str, str]:
        """Properties of an application that uses both workers."""
        return SMALL | {"spark.pyspark.python": str(self.python)}

    def running(self) -> list[str]:
        """Return the ids of the applications that run."""
        return [app["id"] for app in httpx.get(f"{self.pages}/json/", trust_env=False).json()["activeapps"]]

    def executors(self) -> list[int]:
        """Return the process ids of the executors of all applications here."""
        ours = [app.encode() for app in self.running()]
        found = []
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes() if folder.name.isdigit() else b""
            except OSError:  # it has just ended
                continue
            if b"CoarseGrainedExecutorBackend" in words and any(app in words for app in ours):
                found.append(int(folder.name))
        return found


@contextmanager
def daemon(home: Path, name: str, *words: str) -> Iterator[Path]:
    """Run a daemon of Spark in a process group of its own; give the file with what it prints."""
    log = home / f"{name}.log"
    with log.open("wb") as console:
        process = subprocess.Popen(
            [str(SPARK / "bin" / words[0]), *words[1:]],
            env=os.environ | LOOPBACK | DAEMONS,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=home,
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def said(log: Path, pattern: str) -> str:
    """Wait until a log says something; return the group of the pattern."""
    found = wait_for(f"{pattern} in {log.name}", lambda: re.search(pattern, log.read_text()), 300, 0.2)
    return found[1]


def executor_python(home: Path) -> Path:
    """Make an environment without pyspark, Airflow and our package; Spark and our zip bring the rest."""
    return environments.make(home / "venv", sys.executable, ON_EXECUTORS)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A standalone cluster whose executors run Python in an environment of their own."""
    needs.program("java")
    home = tmp_path_factory.mktemp("spark")
    python = executor_python(home)
    package = home / "cape_airflow.zip"
    write_package(package)
    deploy, port = "org.apache.spark.deploy", ("--webui-port", "0")
    with daemon(
        home, "master", "spark-class", f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", "0", *port
    ) as log:
        master = said(log, r"Starting Spark master at (spark://\S+)")
        pages = said(log, r"started at (http://\S+)")
        worker = (
            "spark-class",
            f"{deploy}.worker.Worker",
            "--cores",
            "1",
            "--memory",
            "600m",
            "--work-dir",
            str(home),
            *port,
            master,
        )
        with daemon(home, "worker-1", *worker) as one, daemon(home, "worker-2", *worker) as two:
            for each in (one, two):
                said(each, r"(Successfully registered)")
            yield Cluster(master, pages, python, package)


@pytest.fixture(scope="session")
def connect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Connect server with an application of its own."""
    needs.program("java")
    home = tmp_path_factory.mktemp("connect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    conf = SMALL | {"spark.connect.grpc.binding.port": str(port), "spark.connect.grpc.binding.address": "127.0.0.1"}
    words = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    with daemon(
        home, "connect", "spark-submit", "--master", "local[2]", *words, "--class", server, "spark-internal"
    ) as log:
        said(log, r"(Spark Connect server started)")
        yield port
