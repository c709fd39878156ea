"""A coordinator that misbehaves on purpose: a proxy before a real one, which breaks what a test names."""

from __future__ import annotations

import http.client
import json
import re
import socket
import socketserver
import struct
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Exchange:
    """One request, and the connection that it came over."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: socket.socket
    upstream: str

    def forward(self) -> tuple[int, bytes]:
        """Ask the real coordinator; return its status and body."""
        address = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        kept = {name: value for name, value in self.headers.items() if name not in ("host", "connection")}
        connection.request(self.method, self.path, self.body or None, kept)
        response = connection.getresponse()
        status, body = response.status, response.read()
        connection.close()
        return status, body

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Send an answer; `length` may lie, and `Retry_After="1"` becomes the header `Retry-After`."""
        fields = {"Content-Length": str(len(body) if length is None else length), "Connection": "close"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.connection.sendall(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)


Fault = Callable[[Exchange], None]


def honest(exchange: Exchange) -> None:
    """Pass on what the coordinator says."""
    exchange.answer(*exchange.forward())


def down(exchange: Exchange) -> None:
    """Reset the connection before a byte is said."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()


def slow(exchange: Exchange) -> None:
    """Say nothing, until the client has had enough."""
    exchange.connection.settimeout(300)
    exchange.connection.recv(1)  # returns when the client goes


def dripping(exchange: Exchange) -> None:
    """Send the truth, a byte each half second."""
    status, body = exchange.forward()
    exchange.answer(status, b"", length=len(body))
    for byte in body:
        exchange.connection.sendall(bytes([byte]))
        time.sleep(0.5)  # this is the fault itself


def reset_mid_body(exchange: Exchange) -> None:
    """Reset the connection after half of the truth."""
    status, body = exchange.forward()
    exchange.answer(status, body[: len(body) // 2], length=len(body))
    down(exchange)


def unavailable(exchange: Exchange) -> None:
    """Be a balancer without a coordinator behind it."""
    exchange.answer(503, b"<html>no upstream</html>")


def login_page(exchange: Exchange) -> None:
    """Be a portal that says 200 to everything."""
    exchange.answer(200, b"<html><form>Please log in</form></html>", Content_Type="text/html")


def truncated(exchange: Exchange) -> None:
    """Send half of the truth as if it were all."""
    status, body = exchange.forward()
    exchange.answer(status, body[: len(body) // 2])


def endless(exchange: Exchange) -> None:
    """Send a gigabyte of JSON."""
    exchange.answer(200, b'{"policy": "', length=10**9)
    for _ in range(10**9 // 2**20):
        exchange.connection.sendall(b"x" * 2**20)


def gzip_bomb(exchange: Exchange) -> None:
    """Send 100 MB of blanks in 100 kB."""
    exchange.answer(200, bomb(), Content_Encoding="gzip")


@cache
def bomb() -> bytes:
    """Return the bomb, made piece by piece, since the memory of this very process is what a test looks at."""
    squeeze = zlib.compressobj(wbits=31)
    return b"".join(squeeze.compress(b" " * 10**6) for _ in range(100)) + squeeze.flush()


def not_a_number(exchange: Exchange) -> None:
    """Send what Python takes for JSON, and nobody else."""
    exchange.answer(200, b'{"project": NaN, "items": NaN, "job_id": NaN, "primary": NaN}')


def redirect_to(url: str) -> Fault:
    """Send the client, with its token, to another host."""
    return lambda exchange: exchange.answer(307, b"", Location=url + exchange.path)


def refusing(status: int, code: str) -> Fault:
    """Say no as the coordinator does."""
    body = json.dumps({"code": code, "message": "no", "request_id": "r"}).encode()
    return lambda exchange: exchange.answer(status, body)


def lying(change: Callable[[dict[str, Any]], object]) -> Fault:
    """Send the truth with something changed."""

    def lie(exchange: Exchange) -> None:
        status, body = exchange.forward()
        answer = json.loads(body)
        change(answer)
        exchange.answer(status, json.dumps(answer).encode())

    return lie


@dataclass
class Planned:
    """A fault, on which requests it strikes, and how often yet; None: always."""

    place: re.Pattern[str]
    fault: Fault
    times: int | None = None


@dataclass
class Proxy:
    """The proxy; it is honest where nothing is planned.

    Attributes:
        url: where it serves.
        asked: ``METHOD /path`` of every request.
    """

    upstream: str
    url: str = ""
    asked: list[str] = field(default_factory=list)
    _plan: list[Planned] = field(default_factory=list)

    def plan(self, place: str, fault: Fault, times: int | None = None) -> None:
        """Have requests whose ``METHOD /path`` matches meet a fault, the first `times` of them."""
        self._plan.append(Planned(re.compile(place), fault, times))

    def fault_for(self, request: str) -> Fault:
        """Return what a request meets."""
        self.asked.append(request)
        for planned in self._plan:
            if planned.times != 0 and planned.place.search(request):
                planned.times = None if planned.times is None else planned.times - 1
                return planned.fault
        return honest


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        line = self.rfile.readline().decode().strip()
        if not line:
            return
        method, path, _ = line.split(" ", 2)
        headers = {}
        while (header := self.rfile.readline().decode().strip()) != "":
            name, value = header.split(":", 1)
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        proxy = self.server.proxy
        fault = proxy.fault_for(f"{method} {path}")
        try:
            fault(Exchange(method, path, headers, body, self.request, proxy.upstream))
        except OSError:
            return  # the client had enough


class Server(socketserver.ThreadingTCPServer):
    """Serves a proxy on a port of its own, until `stop`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = Proxy(upstream, url=f"http://127.0.0.1:{self.server_address[1]}")
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: broken connections are what this is for."""

    def stop(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()
