"""A coordinator that misbehaves on purpose, approvals that are really signed, and both clients behind one face."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cape_airflow.client import AsyncCoordinatorClient, CoordinatorClient
from cape_airflow.keys.encoding import to_base64url
from cape_airflow.policy import load_policy

TOKEN = "01HFAULTYTOKEN,AQcanaryTokenThatMustNeverBeShown"
POLICY = """\
label: customers
version: 2
rules:
  - match: {name: email}
    actions: [drop]
"""
Answering = Callable[[Any], None]


@dataclass
class Asked:
    """A request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Faulty:
    """A server that answers as its script says; the last answer is given for ever."""

    script: list[Answering]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def next(self) -> Answering:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class _Handler(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        if not line.strip():
            return
        method, path, _ = line.split(" ", 2)
        headers = {}
        while (header := self.rfile.readline().decode().strip()) != "":
            name, value = header.split(":", 1)
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        faulty: Faulty = self.server.faulty
        faulty.asked.append(Asked(method, path, headers, body))
        try:
            faulty.next()(self.request)
        except OSError:
            return  # the client had enough


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def faulty() -> Iterator[Callable[..., Faulty]]:
    """Start servers with a script: `faulty(answer(200, ...), reset)`."""
    servers = []

    def start(*script: Answering) -> Faulty:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.faulty = Faulty(list(script), url=f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.faulty  # type: ignore[attr-defined,no-any-return]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def raw(status: int, body: bytes, **headers: str) -> bytes:
    """Return an answer as bytes; `Retry_After="1"` becomes the header `Retry-After`."""
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


@pytest.fixture
def answer() -> Callable[..., Answering]:
    """Make answers: `answer(200, {"a": 1}, ETag="x")`; bytes are sent as they are."""

    def make(status: int, body: Any = None, **headers: str) -> Answering:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return lambda connection: connection.sendall(raw(status, content, **headers))

    return make


@pytest.fixture
def broken() -> Callable[[bytes], Answering]:
    """Make answers that break off: these bytes, and then the connection ends."""
    return lambda content: lambda connection: connection.sendall(content)


@pytest.fixture
def dripping() -> Callable[..., Answering]:
    """Make answers that come a byte each 0.1 seconds, after a part that comes at once."""

    def make(at_once: bytes) -> Answering:
        def drip(connection: Any) -> None:
            connection.sendall(at_once)
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.1)  # this is the fault itself

        return drip

    return make


@dataclass
class Signer:
    """A coordinator's signing key."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> str:
        return to_base64url(self.private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self.private.public_key().public_bytes_raw()).hexdigest()[:16]

    def signed(self, text: str = POLICY, **approval: Any) -> dict[str, Any]:
        """Return the body of an approved policy; `approval` replaces fields of what is signed."""
        digest = load_policy(text).digest
        approval = {
            "project": "crm",
            "digest": digest,
            "suggestion_id": "s1",
            "approved_at": "2026-11-21T10:00:00Z",
            "key_id": self.key_id,
        } | approval
        signature = to_base64url(self.private.sign(rfc8785.dumps(approval)))
        return {"project": "crm", "digest": digest, "policy": text, "approval": approval, "signature": signature}

    def listed(self) -> dict[str, Any]:
        """Return the body of `/v1/signing-keys`."""
        return {"items": [{"key_id": self.key_id, "public_key": self.public}], "next": None}


@pytest.fixture
def signer() -> Signer:
    return Signer()


class Clock:
    """The real clock, but for pauses between tries: they pass at once."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return time.monotonic() + sum(self.pauses)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def asleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def job() -> dict[str, Any]:
    """The body of a job that has started."""
    return {
        "project": "crm",
        "job_id": "1" * 32,
        "state": "running",
        "attempts": 1,
        "policy_digest": "0" * 64,
        "engine": "local",
        "kernels": "python",
        "source": "in.csv",
        "target": "out.csv",
        "origin": {},
        "started_at": "2026-11-21T10:00:00Z",
        "heartbeat_at": "2026-11-21T10:00:00Z",
        "finished_at": None,
        "progress": {},
        "columns": [],
        "warnings": [],
        "error": None,
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Blocking:
    """The blocking client, opened for a test."""

    def __init__(self, url: str, clock: Clock, **options: Any) -> None:
        self.client = CoordinatorClient(url, TOKEN, clock=clock, sleep=clock.sleep, **options)

    def __call__(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.client, operation)(*args, **kwargs)

    def close(self) -> None:
        self.client.close()


class Asynchronous:
    """The asynchronous client in a loop of its own, behind the same face."""

    def __init__(self, url: str, clock: Clock, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.client = AsyncCoordinatorClient(url, TOKEN, clock=clock, sleep=clock.asleep, **options)

    def __call__(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        conversation = getattr(self.client._operations, operation)(*args, **kwargs)
        return self.runner.run(self.client._carry_out(conversation))

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


@pytest.fixture(params=[Blocking, Asynchronous])
def connect(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Callable[..., Any]]:
    """Open a client of either kind: `connect(url)("policy", "crm")`."""
    opened = []

    def open_(url: str, **options: Any) -> Any:
        opened.append(request.param(url, clock, **({"deadline": 5.0} | options)))
        return opened[-1]

    yield open_
    for client in opened:
        client.close()
