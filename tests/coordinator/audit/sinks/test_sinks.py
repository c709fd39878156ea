"""Sinks of every kind, at real files, sockets and servers."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from cape_airflow.coordinator.audit.chain import FACTS
from cape_airflow.coordinator.audit.following import Watch, followers_of
from cape_airflow.coordinator.audit.sinks import AnySink, SinkSettings
from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import CoordinatorError

SECRET = "s" * 32
HOSTILE = "new\nline \x1b[31mred \u202eturned \x00"


def sink_of(**settings: Any) -> SinkSettings:
    made: SinkSettings = TypeAdapter(AnySink).validate_python(settings)
    return made


def entry(seq: int, event: str = "create-key") -> dict[str, Any]:
    return dict.fromkeys(FACTS) | {"seq": seq, "event": event, "previous": "", "hash": "", "target_label": HOSTILE}


@dataclass
class Receiver:
    """A web service that takes rows, unless it is told not to."""

    status: int = 204
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def seqs(self) -> list[int]:
        return [json.loads(line)["seq"] for body in self.bodies for line in body.splitlines()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.status == 204:
                found.bodies.append(body)
                found.signatures.append(self.headers["Cape-Signature"])
            self.send_response(found.status)
            self.send_header("Location", found.url)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/cape"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_L5_a_row_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    sink_of(type="stdout").open().deliver([entry(1), entry(2)])
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert out.replace("\n", "").isprintable()
    assert out.isascii()
    assert [json.loads(line)["target_label"] for line in out.splitlines()] == [HOSTILE, HOSTILE]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({}, {"create-key", "read-key", "read-policy", "log-in"}),
        ({"events": ["*-key"]}, {"create-key", "read-key"}),
        ({"without": ["read-*"]}, {"create-key", "log-in"}),
        ({"events": ["*-key", "log-in"], "without": ["read-key"]}, {"create-key", "log-in"}),
    ],
)
def test_a_sink_gets_the_events_that_its_patterns_name(filters: dict[str, Any], kept: set[str]) -> None:
    sink = sink_of(type="stdout", **filters)
    events = ("create-key", "read-key", "read-policy", "log-in")
    assert {event for event in events if sink.wants(entry(1, event))} == kept


def test_a_file_is_private_rotated_and_loses_no_row(tmp_path: Path) -> None:
    settings = sink_of(type="file", path=tmp_path / "deep" / "audit.jsonl", megabytes=1, keep=3)
    sink = settings.open()
    big = entry(0) | {"target_label": "x" * 300_000}
    for seq in range(1, 9):
        sink.deliver([big | {"seq": seq}])
    sink.close()
    files = sorted((tmp_path / "deep").iterdir())
    assert len(files) == 3
    seqs = sorted(json.loads(line)["seq"] for file in files for line in file.read_text().splitlines())
    assert seqs == list(range(1, 9))
    assert files[0].stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        sink_of(type="file", path=tmp_path / "taken" / "audit.jsonl").open()
    with pytest.raises((CoordinatorError, OSError)), closing(sink_of(type="file", path="/dev/full").open()) as sink:
        sink.deliver([entry(1)])


def test_syslog_gets_a_message_a_row_over_udp_tcp_and_the_socket_of_this_machine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        sink = sink_of(type="syslog", host="127.0.0.1", port=server.getsockname()[1], facility="local0").open()
        sink.deliver([entry(7)])
        sink.close()
        check_message(server.recv(65536), "<134>", b"")
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = sink_of(type="syslog", host="127.0.0.1", port=server.getsockname()[1], protocol="tcp").open()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            sink.deliver([entry(7), entry(7)])
            check_message(lines.readline(), "<86>", b"\n")
            check_message(lines.readline(), "<86>", b"\n")
        sink.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(5)
        sink = sink_of(type="syslog", host=str(tmp_path / "log")).open()
        sink.deliver([entry(7)])
        sink.close()
        check_message(server.recv(65536), "<86>", b"")


def check_message(message: bytes, priority: str, end: bytes) -> None:
    assert message.startswith(f"{priority}cape-audit: {{".encode())
    assert message.endswith(b"}" + end)
    assert json.loads(message.partition(b": ")[2])["seq"] == 7


def test_a_syslog_server_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(CoordinatorError):
        sink_of(type="syslog", host=str(tmp_path / "nothing")).open().deliver([entry(1)])


def test_a_webhook_is_signed_so_that_the_receiver_can_check_it(receiver: Receiver) -> None:
    sink_of(type="webhook", url=receiver.url, secret=SECRET).open().deliver([entry(1), entry(2)])
    assert receiver.seqs == [1, 2]
    parts = dict(part.split("=") for part in receiver.signatures[0].split(","))
    signed = f"{parts['t']}.".encode() + receiver.bodies[0]
    assert hmac.compare_digest(parts["v1"], hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest())


@pytest.mark.parametrize("status", [301, 307, 400, 403, 429, 500, 503])
def test_a_webhook_that_does_not_say_yes_is_trouble_and_redirects_are_not_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    with pytest.raises(CoordinatorError, match=f"answers {status}"):
        sink_of(type="webhook", url=receiver.url, secret=SECRET).open().deliver([entry(1)])
    assert receiver.bodies == []


@pytest.mark.parametrize("url", ["http://example.com/x", "http://169.254.169.254/", "ftp://x/y", "localhost/x"])
def test_P6_rows_do_not_leave_this_machine_unencrypted(url: str) -> None:
    with pytest.raises(ValidationError, match="must be https"):
        sink_of(type="webhook", url=url, secret=SECRET)


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="32 characters") as refused:
        Settings.model_validate(
            {"audit_sinks": {"siem": {"type": "webhook", "url": "https://x/y", "secret": "canary"}}}
        )
    assert "canary" not in str(refused.value)


def test_nothing_is_lost_while_the_receiver_is_away_and_order_is_kept(
    receiver: Receiver, log_of: Callable[..., Any]
) -> None:
    sinks = {"siem": {"type": "webhook", "url": receiver.url, "secret": SECRET, "without": ["update-*"]}}
    log = log_of(audit_sinks=sinks)
    (delivery,) = followers_of(log.coordinator)[1:]
    watch = Watch(log.coordinator, delivery, owner="a")
    watch.round()
    for status in (503, 500, 204):
        receiver.status = status
        log.grow(3)
        log.deployment.clock.turn(seconds=11)
        watch.round()
    events = log.deployment.rows("SELECT seq FROM audit WHERE event NOT LIKE 'update-%' ORDER BY seq")
    assert receiver.seqs == [seq for (seq,) in events]
    assert len(receiver.bodies) == 2


def test_a_checkpoint_goes_to_its_webhook_too(receiver: Receiver, log_of: Callable[..., Any]) -> None:
    log = log_of(checkpoint_webhook={"url": receiver.url, "secret": SECRET})
    log.follow()
    assert receiver.bodies[0].decode() + "\n" == log.coordinator.settings.checkpoints.read_text()
