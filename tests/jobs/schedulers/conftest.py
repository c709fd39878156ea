"""Servers that answer as told, and a real Spark: master, worker, driver and History Server from the pip package."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pyspark
import pytest

from tests import needs
from tests.conftest import REPOSITORY

T = TypeVar("T")
Answer = tuple[int, dict[str, str], bytes]

LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost", "SPARK_PUBLIC_DNS": "127.0.0.1"}
JOB = """
import sys, time
from pathlib import Path
from pyspark.sql import SparkSession

master, events, go = sys.argv[1:]
builder = SparkSession.builder.master(master).appName("nightly").config("spark.ui.port", "0")
for name, value in {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events, "spark.executor.memory": "512m",
                    "spark.driver.memory": "512m", "spark.cores.max": "1", "spark.driver.host": "127.0.0.1",
                    "spark.sql.shuffle.partitions": "2", "spark.eventLog.compress": "false"}.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
assert spark.range(1000).selectExpr("id % 7 AS k").groupBy("k").count().count() == 7
print("APPLICATION", spark.sparkContext.applicationId, spark.sparkContext.uiWebUrl, flush=True)
deadline = time.monotonic() + 120
while go != "now" and not Path(go).exists() and time.monotonic() < deadline:
    time.sleep(0.1)
spark.stop()
"""


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 60) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.1)
    pytest.fail(f"no {what} within {seconds} s")


@dataclass
class Told:
    """A server that gives the answers it was told, and remembers what it was asked."""

    url: str
    answers: dict[str, Callable[[dict[str, str]], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What gives its answers, for a server."""
        return type("Handler", (_Handler,), {"told": self})

    def tell(self, call: str, data: Any = None, status: int = 200, **headers: str) -> None:
        """Answer ``METHOD /path`` with JSON, or with bytes as they are."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.answers[call] = lambda _query: (status, headers, body)


class _Handler(BaseHTTPRequestHandler):
    told: Told

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
        self.told.asked.append((f"{self.command} {parts.path}", parts.query, dict(self.headers), body))
        give = self.told.answers.get(f"{self.command} {parts.path}", lambda _query: (404, {}, b""))
        status, headers, content = give(query)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the server's names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def told() -> Iterator[Told]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    told = Told(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = told.handler
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Process:
    """A process with all that it printed."""

    running: subprocess.Popen[bytes]
    log: Path

    def said(self, pattern: str) -> re.Match[str]:
        """Wait until it prints what fits the pattern; fail where it ends before."""

        def found() -> re.Match[str] | None:
            ended = self.running.poll() is not None
            match = re.search(pattern, self.log.read_text(), re.MULTILINE)
            if ended and not match:
                pytest.fail(self.log.read_text()[-3000:])
            return match

        return wait_for(pattern, found, 90)


@dataclass
class Spark:
    """A standalone cluster of one worker, and a History Server; all on this machine, in processes of their own."""

    folder: Path
    environment: dict[str, str]
    master: str = ""
    web: str = ""
    history: str = ""
    processes: list[Process] = field(default_factory=list)

    def wait_for(self, what: str, ask: Callable[[], T | None]) -> T:
        return wait_for(what, ask)

    def start(self, *command: str) -> Process:
        log = self.folder / f"{len(self.processes)}.log"
        with log.open("wb") as output:
            running = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=self.folder
            )
        self.processes.append(Process(running, log))
        return self.processes[-1]

    def submit(
        self, go: str, master: str | None = None, **environment: str
    ) -> tuple[subprocess.Popen[bytes], str, str]:
        """Run an application until the file `go` is there; return its driver, its id, and the address of its UI."""
        events = (self.folder / "events").as_uri()
        driver = self.start(sys.executable, "-c", JOB, master or self.master, events, go)
        found = driver.said(r"^APPLICATION (\S+) (\S+)")
        return driver.running, found[1], found[2]


@pytest.fixture(scope="session")
def spark_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """Spark's programs, none of which runs yet."""
    java = Path(needs.program("java")).resolve()
    folder = tmp_path_factory.mktemp("spark")
    (folder / "events").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "AIRFLOW_"))}
    environment |= LOOPBACK | {
        "JAVA_HOME": str(java.parent.parent),
        "SPARK_HOME": str(spark_home()),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_HISTORY_OPTS": f"-Dspark.history.fs.logDirectory={(folder / 'events').as_uri()} "
        "-Dspark.history.ui.port=0 -Dspark.history.fs.update.interval=1s",
        "PYSPARK_PYTHON": sys.executable,
    }
    made = Spark(folder, environment)
    yield made
    for process in made.processes:
        process.running.kill()
        process.running.communicate(timeout=30)


def spark_home() -> Path:
    return Path(pyspark.__file__).parent


@pytest.fixture(scope="session")
def spark(spark_programs: Spark) -> Spark:
    """A standalone cluster and a History Server."""
    made = spark_programs

    def daemon(name: str, *arguments: str) -> Process:
        return made.start(str(spark_home() / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *arguments)

    master = daemon("master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    history = daemon("history.HistoryServer")
    made.master = master.said(r"(spark://127.0.0.1:[1-9]\d*)")[1]
    made.web = "http://127.0.0.1:" + master.said(r"MasterUI.* port (\d+)")[1]
    daemon("worker.Worker", "--webui-port", "0", "--cores", "1", "--memory", "512m", made.master)
    made.history = "http://127.0.0.1:" + history.said(r"HistoryServerUI.* port (\d+)")[1]
    return made


@pytest.fixture(scope="session")
def resource_manager(spark_programs: Spark) -> str:
    """The address of a real ResourceManager of YARN with one NodeManager, which Spark finds by HADOOP_CONF_DIR.

    Maven brings Hadoop's mini cluster (80 MB) into the checkout, once.
    """
    jars = REPOSITORY / ".hadoop" / "3.5.0"
    source = Path(__file__).parent / "yarn"
    if not (jars / "complete").exists():
        fetch = [
            needs.program("mvn"),
            "-q",
            "-B",
            "-f",
            source / "pom.xml",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={jars}",
        ]
        subprocess.run(fetch, check=True, timeout=500)
        (jars / "complete").touch()
    folder = spark_programs.folder
    subprocess.run(
        [needs.program("javac"), "-cp", f"{jars}/*", "-d", folder, source / "Cluster.java"], check=True, timeout=120
    )
    (folder / "log4j.properties").write_text("log4j.rootLogger=OFF\n")
    cluster = spark_programs.start(
        "java", "-Xmx512m", f"-Dlog4j.configuration={(folder / 'log4j.properties').as_uri()}",
        "-cp", f"{folder}:{jars}/*", "Cluster", str(folder),
    )  # fmt: skip
    address = cluster.said(r"^MANAGER \S+:(\d+)$")[1]
    settings = {
        "spark.yarn.jars": f"local:{spark_home()}/jars/*",
        "spark.yarn.stagingDir": folder.as_uri(),
        "spark.yarn.am.memory": "512m",
        "spark.yarn.tags": "cape,nightly",
        "spark.executor.instances": "1",
    }
    spark_programs.environment |= {
        "HADOOP_CONF_DIR": str(folder),
        "PYSPARK_SUBMIT_ARGS": " ".join(f"--conf {name}={value}" for name, value in settings.items())
        + " pyspark-shell",
    }
    return f"http://127.0.0.1:{address}"


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
