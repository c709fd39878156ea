"""Services under load: ours and a plain one, each a process of its own, asked over real HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text

LABEL = "customers"
PATH = f"/v1/projects/{LABEL}"
READERS, SECONDS = 16, 4.0
START_SECONDS = 60
TRIES, PAUSE_SECONDS = 20, 0.5  # of what the service has no time for
FINISH = {"state": "succeeded", "progress": {"rows_in": 9, "rows_out": 9}, "finished_at": "2026-11-21T12:00:09Z"}
OURS = "from cape_airflow.cli import main; main()"
PLAIN = "import sys, uvicorn; uvicorn.run('benchmarks.contenders.plain_service:app', port=int(sys.argv[1]))"
PREPARE = "import sys; from benchmarks.contenders.plain_service import prepare; prepare(*sys.argv[1:])"

Round = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Service:
    """A service that runs, and what to ask it with."""

    port: int
    url: str
    token: str
    digest: str

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Return the bytes of a request."""
        content = b"" if body is None else json.dumps(body).encode()
        kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if content else ""
        head = f"{method} {PATH}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n{kind}\r\n"
        return head.encode() + content

    def job(self, job_id: str) -> tuple[bytes, bytes, bytes]:
        """Return the three requests of a job."""
        start = {
            "job_id": job_id,
            "policy_digest": self.digest,
            "engine": "local",
            "kernels": "python",
            "source": "a",
            "target": "b",
            "started_at": "2026-11-21T12:00:00Z",
        }
        return (
            self.request("PUT", f"/jobs/{job_id}", start),
            self.request("POST", f"/jobs/{job_id}/heartbeat", {"rows_in": 5}),
            self.request("POST", f"/jobs/{job_id}/finish", FINISH),
        )


def ours(folder: str, policy: str, url: str | None, rush: int) -> Round:
    """Our coordinator with one project, an approved policy and a worker."""
    home = Path(folder) / f"ours-{secrets.token_hex(4)}"
    key = urlsafe_b64encode(secrets.token_bytes(32)).decode()
    variables = {"CAPE_HOME": str(home), "CAPE_ROOT_KEY": key} | ({"CAPE_DB_URL": url} if url else {})
    words = ("coordinator", "init", "--email", "owner@example.com", "--name", "Owner")
    made = subprocess.run(
        [sys.executable, "-c", OURS, *words], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    port = _free_port()
    _start([sys.executable, "-c", OURS, "coordinator", "start", "--port", str(port)], variables, port)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        token, digest = _approved(client, made.stdout.strip(), policy)
    return _round(Service(port, url or f"sqlite:///{home}/coordinator.db", token, digest), rush)


def plain(folder: str, policy: str, url: str | None, rush: int) -> Round:
    """The plain service with one policy and a token."""
    url = url or f"sqlite:///{folder}/plain-{secrets.token_hex(4)}.db"
    variables = {"PLAIN_DB_URL": url.replace("postgresql:", "postgresql+psycopg:")}
    token, digest = secrets.token_urlsafe(24), secrets.token_hex(32)
    subprocess.run(
        [sys.executable, "-c", PREPARE, token, LABEL, digest, policy], env=os.environ | variables, check=True
    )
    port = _free_port()
    _start([sys.executable, "-c", PLAIN, str(port)], variables, port)
    return _round(Service(port, url, token, digest), rush)


def _approved(client: httpx.Client, admin: str, policy: str) -> tuple[str, str]:
    """Have a policy suggested by one and approved by another; return the token of a worker, and the digest."""

    def ask(method: str, path: str, token: str, body: object) -> Any:
        answer = client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        return answer.raise_for_status().json()

    ask("POST", "/v1/projects", admin, {"name": LABEL, "label": LABEL})
    tokens = {}
    for name, role in (("author", "project-contributor"), ("worker", "worker")):
        email = f"{name}@example.com"
        ask("POST", "/v1/users", admin, {"email": email, "name": name})
        ask("PUT", f"{PATH}/contributors/{email}", admin, {"role": role})
        tokens[name] = ask("POST", "/v1/tokens", admin, {"description": "load", "user_email": email})["token"]
    made = ask("POST", f"{PATH}/suggestions", tokens["author"], {"title": "load", "policy": policy})
    ask("POST", f"{PATH}/suggestions/{made['id']}/approve", admin, {"digest": made["digest"]})
    return tokens["worker"], made["digest"]


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


def _start(command: list[str], variables: dict[str, str], port: int) -> None:
    """Start a server, which ends with this process, and wait until it answers."""
    watched = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
    server = subprocess.Popen(  # it is killed by the kernel when this process ends
        [sys.executable, "-c", watched, *command],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service did not start") from None
            time.sleep(0.05)


def _round(service: Service, rush: int) -> Round:
    def work() -> dict[str, Any]:
        return asyncio.run(_laps(service, rush))

    return work


async def _laps(service: Service, rush: int) -> dict[str, Any]:
    read = service.request("GET", f"/policies/{service.digest}")
    reads = await _together(service, READERS, lambda: [read], SECONDS)
    writes = await _together(service, READERS, lambda: service.job(secrets.token_hex(16)), SECONDS)
    return {"reads": reads, "writes": writes} | ({"rush": await _rush(service, rush)} if rush else {})


async def _rush(service: Service, clients: int) -> dict[str, Any]:
    """Have so many clients do a job each at the same moment, and count what is stored afterwards."""
    told = _finished(service)
    job_ids = [secrets.token_hex(16) for _ in range(clients)]
    waiting = iter(job_ids)
    measured = await _together(service, clients, lambda: service.job(next(waiting)))
    made = _finished(service)[len(told) :]
    return measured | {"lost": len(set(job_ids) - set(made)), "doubled": len(made) - len(set(made))}


async def _together(
    service: Service, clients: int, requests: Callable[[], Iterable[bytes]], seconds: float = 0
) -> dict[str, Any]:
    """Have so many clients ask at once, each again and again for that long, and once at least."""
    taken: list[float] = []
    again = 0
    began = time.perf_counter()

    async def client() -> None:
        nonlocal again
        connection = _Connection(service.port)
        while True:
            for request in requests():
                asked = time.perf_counter()
                again += await connection.ask(request) - 1
                taken.append(time.perf_counter() - asked)
            if time.perf_counter() - began >= seconds:
                break
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    spent = time.perf_counter() - began
    return {"rate": len(taken) / spent, "p99": sorted(taken)[int(len(taken) * 0.99)], "again": again}


class _Connection:
    """A connection that is kept, and made anew where the service closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        """Close it."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def ask(self, request: bytes) -> int:
        """Ask until the service does it, or has failed so often that it will not; return how often that was."""
        tries = 1
        while not await self._done(request) and tries < TRIES:
            await asyncio.sleep(PAUSE_SECONDS)
            tries += 1
        return tries

    async def _done(self, request: bytes) -> bool:
        """Ask, read the answer to its end, and return whether it is one of success.

        Raises:
            RuntimeError: it is a refusal, which would be one again.
        """
        try:
            self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
        except (OSError, EOFError):
            self.close()
            return False
        if head.startswith(b"http/1.1 4"):
            raise RuntimeError(f"{head[:20]!r} {body[:200]!r}")
        if b"connection: close" in head:
            self.close()
        return head.startswith(b"http/1.1 2")


def _finished(service: Service) -> list[str]:
    """Return the jobs that are stored as finished, in the order of their starts."""
    engine = create_engine(service.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        found = connection.execute(text("SELECT job_id FROM jobs WHERE state = 'succeeded' ORDER BY seq"))
        job_ids = [str(row.job_id) for row in found]
    engine.dispose()
    return job_ids
