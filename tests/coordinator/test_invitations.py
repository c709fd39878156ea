"""One-time links by mail, through a real SMTP server with STARTTLS or TLS from the first byte."""

from __future__ import annotations

import base64
import socketserver
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from cape_airflow.coordinator.settings import Settings

READER = "customers-reader@example.com"
USER, PASSWORD = "cape", "mail-password"


@dataclass
class Post:
    """What the server was told."""

    mails: list[str] = field(default_factory=list)
    log_ins: list[str] = field(default_factory=list)
    in_clear: list[str] = field(default_factory=list)


def certificate(folder: Path) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return pem


class Server(socketserver.ThreadingTCPServer):
    """Listens; `tls_first` where it speaks TLS from the first byte."""

    def __init__(self, post: Post, context: ssl.SSLContext, *, tls_first: bool) -> None:
        self.post, self.context, self.tls_first = post, context, tls_first
        super().__init__(("127.0.0.1", 0), Conversation)


class Conversation(socketserver.BaseRequestHandler):
    """As much of SMTP as a client that logs in and sends one mail hears."""

    server: Server

    def handle(self) -> None:
        self.stream, self.secure = self.request, False
        try:
            if self.server.tls_first:
                self.secure_stream()
            self.say("220 ready")
            while line := self.read():
                if not self.secure:
                    self.server.post.in_clear.append(line)
                self.answer(line)
        except ssl.SSLError:
            pass  # the client does not trust us
        finally:
            self.stream.close()

    def secure_stream(self) -> None:
        self.stream, self.secure = self.server.context.wrap_socket(self.stream, server_side=True), True

    def read(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self.stream.recv(1)
            if not byte:
                return ""
            line += byte
        return line.decode().rstrip("\r\n")

    def say(self, line: str) -> None:
        self.stream.sendall(f"{line}\r\n".encode())

    def answer(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        answers = {"EHLO": self.hello, "STARTTLS": self.start_tls, "AUTH": self.log_in, "DATA": self.take}
        answers.get(verb.upper(), self.nod)(rest)

    def hello(self, _rest: str) -> None:
        self.say("250-here\r\n250 AUTH PLAIN" if self.secure else "250-here\r\n250 STARTTLS")

    def start_tls(self, _rest: str) -> None:
        self.say("220 go")
        self.secure_stream()

    def log_in(self, rest: str) -> None:
        self.server.post.log_ins.append(base64.b64decode(rest.split()[1]).decode())
        self.say("235 in")

    def take(self, _rest: str) -> None:
        self.say("354 go")
        lines = []
        while (line := self.read()) != ".":
            lines.append(line)
        self.server.post.mails.append("\r\n".join(lines))
        self.say("250 taken")

    def nod(self, _rest: str) -> None:
        self.say("250 ok")


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def smtp(post: Post, tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start a mail server, and return the settings that lead to it."""
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    servers: list[tuple[Server, Thread]] = []

    def start(security: str = "starttls") -> dict[str, Any]:
        server = Server(post, context, tls_first=security == "tls")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        servers.append((server, thread))
        return {
            "public_url": "https://cape.example/cape/",
            "smtp_host": "127.0.0.1",
            "smtp_port": server.server_address[1],
            "smtp_security": security,
            "smtp_from": "cape@example.com",
            "smtp_user": USER,
            "smtp_password": PASSWORD,
            "smtp_ca": pem,
        }

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def invite(deployment: Any) -> Any:
    return deployment.done("POST", f"/v1/users/{READER}/link", deployment.admin)


def wait_for(mails: list[str]) -> str:
    deadline = time.monotonic() + 20
    while not mails and time.monotonic() < deadline:
        time.sleep(0.01)
    return mails[0]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_link_goes_out_by_mail_and_only_over_tls(
    maker: Any, smtp: Callable[..., dict[str, Any]], post: Post, security: str
) -> None:
    deployment = maker.deployment(**smtp(security))
    made = invite(deployment)
    mail = wait_for(post.mails).replace("=\r\n", "").replace("=3D", "=")
    assert made["mailed"] is True
    assert made["url"].startswith("https://cape.example/cape/set-password#")
    assert made["url"] in mail
    assert f"To: {READER}" in mail
    assert "From: cape@example.com" in mail
    assert post.log_ins == [f"\0{USER}\0{PASSWORD}"]
    assert not [line for line in post.in_clear if line.partition(" ")[0].upper() not in ("EHLO", "STARTTLS")]


def test_a_server_that_nobody_vouches_for_gets_no_mail_and_the_link_is_still_good(
    maker: Any, smtp: Callable[..., dict[str, Any]], post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    deployment = maker.deployment(**(smtp() | {"smtp_ca": None}))
    made = invite(deployment)
    assert post.mails == post.log_ins == []
    assert "did not take a mail: SSLCertVerificationError" in caplog.text
    code = made["url"].partition("#")[2]
    assert code not in caplog.text
    form = {"code": code, "password": "four plain words here"}
    assert deployment.ask("POST", "/set-password", data=form, follow_redirects=False).status_code == 303


def test_without_a_mail_server_the_admin_hands_the_link_over(deployment: Any, project: Any) -> None:
    made = invite(deployment)
    assert made["mailed"] is False
    assert made["url"].startswith("http://testserver/set-password#")
    assert datetime.fromisoformat(made["expires_at"]) == deployment.clock.now + timedelta(hours=24)


def test_a_mail_server_needs_the_address_that_links_begin_with() -> None:
    with pytest.raises(ValidationError, match="public_url"):
        Settings(smtp_host="127.0.0.1", smtp_from="a@b.de")
