from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cape_airflow.jobs.schedulers import SchedulerError, SchedulerUnavailable
from cape_airflow.jobs.schedulers.mesos import Mesos
from cape_airflow.jobs.schedulers.rest import Credentials, Rest
from cape_airflow.keys import Secret


def certificate(path: Path) -> Path:
    """Write a certificate for this machine that no authority signed, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "far")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def over_tls(told: Any, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The server that is told what to say, behind TLS; and the file with its certificate."""
    told.tell("GET /state", {"frameworks": []})
    pem = certificate(tmp_path / "far.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), told.handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # who hangs up in mid-handshake
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", pem
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_that_nobody_vouches_for_gets_no_request_and_no_secret(over_tls: Any, told: Any) -> None:
    url, _ = over_tls
    mesos = Mesos(Rest("far", url, Credentials(token=lambda: Secret(b"canary"))))
    with pytest.raises(SchedulerUnavailable, match="far is unreachable"):
        mesos.list_jobs()
    assert told.asked == []


def test_the_authorities_of_the_ca_file_are_trusted(over_tls: Any) -> None:
    url, pem = over_tls
    assert Mesos(Rest("far", url, ca_file=str(pem))).list_jobs() == ()


def test_a_ca_file_without_certificates_is_told(over_tls: Any, tmp_path: Path) -> None:
    url, _ = over_tls
    (tmp_path / "empty.pem").touch()
    with pytest.raises(SchedulerError, match="holds no certificates"):
        Mesos(Rest("far", url, ca_file=str(tmp_path / "empty.pem"))).list_jobs()
