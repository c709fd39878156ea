"""`cape coordinator start` in processes of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("kind", ["sqlite"], indirect=True)]


@dataclass
class Started:
    """A coordinator that the command started."""

    process: subprocess.Popen[str]
    log: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def started(settings: Any, folder: Path, *arguments: str, **variables: str) -> Iterator[Started]:
    environment = os.environ | variables | {"CAPE_ROOT_KEY": settings.root_key.get_secret_value()}
    command = [sys.executable, "-m", "cape_airflow.cli", "coordinator", "start"]
    words = [*command, "--home", str(settings.home), "--port", "0", *arguments]
    log = folder / "log"
    with log.open("w") as stream, subprocess.Popen(words, env=environment, stderr=stream, text=True) as process:
        try:
            found = until(lambda: re.search(r"running on http://127.0.0.1:(\d+)", log.read_text()))
            answering = Started(process, log, int(found[1]))
            until(lambda: answers(answering.url))
            yield answering
        finally:
            process.terminate()
            process.wait(timeout=30)


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/ready").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_that_runs_when_the_coordinator_is_told_to_stop_is_finished_and_no_other_begins(
    workers: int, maker: Any, prepared: Any, tmp_path: Path
) -> None:
    body = json.dumps({"description": "the last"}).encode()
    head = (
        f"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {prepared.admin}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with started(maker.settings(), tmp_path, "--workers", str(workers)) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as running:
            running.sendall(head.encode() + body[:5])
            until(lambda: answers(service.url))  # it has seen what came before that
            service.process.send_signal(signal.SIGTERM)
            until(lambda: not answers(service.url))
            running.sendall(body[5:])
            answer = b""
            while part := running.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 201"), answer
        assert b'"the last"' in answer
        assert service.process.wait(timeout=30) in (0, -signal.SIGTERM)
        assert not answers(service.url)


def test_the_health_check_of_a_container_tells_a_coordinator_that_lives_from_none(maker: Any, tmp_path: Path) -> None:
    with started(maker.settings(), tmp_path) as service:
        command = [sys.executable, "-m", "cape_airflow.cli", "coordinator", "check", "--port", str(service.port)]
        assert subprocess.run(command, timeout=60, check=False).returncode == 0
        service.stop()
        gone = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert gone.returncode == 1
    assert "does not answer (ConnectError)" in gone.stderr


def test_several_workers_are_one_service(maker: Any, prepared: Any, tmp_path: Path) -> None:
    admin = {"Authorization": f"Bearer {prepared.admin}"}
    with started(maker.settings(), tmp_path, "--workers", "2") as service:
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        until(lambda: service.log.read_text().count("Application startup complete") == 2)
        assert len(children.read_text().split()) >= 2
        for number in range(20):  # each on a connection of its own, which either of them takes
            made = httpx.post(f"{service.url}/v1/projects", json={"name": f"p{number}"}, headers=admin)
            assert made.status_code == 201, made.text
        listed = httpx.get(f"{service.url}/v1/projects?limit=200", headers=admin).json()["items"]
        assert {f"p{number}" for number in range(20)} <= {project["label"] for project in listed}


def test_the_log_is_json_where_the_file_of_settings_says_so_and_names_no_address(
    maker: Any, prepared: Any, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text('log_format = "json"\n')
    with started(maker.settings(), tmp_path, CAPE_CONFIG=str(tmp_path / "settings.toml")) as service:
        token = {"Authorization": f"Bearer {prepared.admin}"}
        assert httpx.get(f"{service.url}/v1/users?limit=1&user_email=canary@example.com", headers=token).is_error
        assert service.stop() in (0, -signal.SIGTERM)
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    asked = [line for line in lines if line.get("route") == "/v1/users"]
    assert [line["status"] for line in asked] == [422]
    assert "canary" not in str(lines)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_coordinator_that_cannot_start_says_why_once_and_ends(workers: str, maker: Any, tmp_path: Path) -> None:
    settings = maker.settings()
    (settings.home / "root.key").unlink(missing_ok=True)
    command = [sys.executable, "-m", "cape_airflow.cli", "coordinator", "start", "--port", "0", "--workers", workers]
    environment = os.environ | {"CAPE_HOME": str(settings.home)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("put it back") == 1
    assert "Traceback" not in ended.stderr
