"""`cape jobs --from NAME`, asked of a server that answers as a ResourceManager does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

CANARY = "canary-4711"
APP = {
    "id": "application_1795262400000_0001",
    "name": "nightly \x1b[2J",
    "user": "ada",
    "queue": "payroll",
    "state": "RUNNING",
    "applicationType": "SPARK",
    "startedTime": 1795262400000,
}


class _Manager(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"apps": {"app": [APP] if "RUNNING" in self.path else []}}).encode()
        allowed = self.headers["Authorization"] == f"Bearer {CANARY}"
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Write a file with a scheduler `far` that runs and `dead` that does not; it is told its secret's variable."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Manager)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def write(variable: str) -> Path:
        path = tmp_path / "nobody" / "schedulers.toml"
        path.parent.mkdir()
        port = server.server_address[1]
        path.write_text(
            f'[schedulers.far]\ntype = "yarn"\nurl = "http://127.0.0.1:{port}"\ntoken = {{env = "{variable}"}}\n'
            '[schedulers.dead]\ntype = "mesos"\nurl = "http://127.0.0.1:1"\n'
        )
        return path

    yield write
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_TOKEN", CANARY)
    monkeypatch.setenv("WRONG_TOKEN", "wrong")


def test_what_runs_elsewhere_is_listed_with_the_file_beside_the_configuration(somebody: Any, configure: Any) -> None:
    configure("FAR_TOKEN")
    printed = somebody.ok("jobs", "--from", "far")
    assert "application_1795262400000_0001" in printed
    assert "running" in printed
    assert "\x1b" not in printed
    assert CANARY not in printed
    assert "application" not in somebody.ok("jobs", "--from", "far", "--user", "bo")


def test_the_json_has_all_that_is_known(somebody: Any, configure: Any) -> None:
    path = configure("FAR_TOKEN")
    (job,) = somebody.json("jobs", "--schedulers", path, "--from", "far", "--since", "2026-11-21")
    assert (job["id"], job["state"], job["word"], job["user"]) == (APP["id"], "running", "RUNNING", "ada")
    assert job["started"].startswith("2026-11-2")


def test_an_unreachable_scheduler_is_told_as_one_and_ends_with_3(somebody: Any, configure: Any) -> None:
    configure("FAR_TOKEN")
    result = somebody("jobs", "--from", "dead")
    assert result.exit_code == 3
    assert "dead is unreachable at http://127.0.0.1:1" in result.stderr


def test_a_scheduler_that_refuses_is_told_without_the_secret(somebody: Any, configure: Any) -> None:
    configure("WRONG_TOKEN")
    assert "HTTP 401" in somebody.fails("jobs", "--from", "far")
    assert "did you mean `far`" in somebody.fails("jobs", "--from", "fra")


@pytest.mark.parametrize(
    "arguments",
    [(), ("--from", "far", "list", "p"), ("--from", "far", "--since", "yesterday")],
    ids=("nothing", "both", "since"),
)
def test_a_command_that_is_written_wrongly_ends_with_2(
    arguments: tuple[str, ...], somebody: Any, configure: Any
) -> None:
    configure("FAR_TOKEN")
    assert somebody("jobs", *arguments).exit_code == 2
