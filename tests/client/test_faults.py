"""Both clients against a coordinator that misbehaves: each fault, the error it becomes, and how often it is asked."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cape_airflow.client import CoordinatorClient
from cape_airflow.client.protocol import Request, nothing
from cape_airflow.errors import (
    CoordinatorProtocolError,
    CoordinatorRefused,
    CoordinatorUnavailable,
    NotApproved,
)
from cape_airflow.jobs import JobFinish, JobStart, JobState, Outbox, Progress

ME = {"id": "u1", "email": "a@example.org", "name": "A", "role": "user", "projects": []}
TOKEN = "canaryTokenThatMustNeverBeShown"
NOT_LOOPBACK = "0.0.0.0"  # noqa: S104 - nothing binds to it: it leads to this machine without being a loopback address


def _reset(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id"')
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_asked_again_until_it_passes(faulty, answer, connect, clock, status):
    server = faulty(answer(status), answer(status, b"<html>"), answer(200, ME))
    assert connect(server.url)("me").email == "a@example.org"
    assert len(server.asked) == 3
    assert len(clock.pauses) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_failure_that_does_not_pass_is_unavailable_at_the_deadline(faulty, answer, connect, clock, status):
    server = faulty(answer(status))
    with pytest.raises(CoordinatorUnavailable, match=rf"GET /v1/me: HTTP status {status} \(try \d+\)"):
        connect(server.url)("me")
    assert len(server.asked) > 2
    assert sum(clock.pauses) < 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": "u1"',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"220 smtp.example.org ESMTP\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "a wrong chunk", "another protocol"],
)
def test_an_answer_that_breaks_off_is_asked_again(faulty, answer, broken, connect, content):
    server = faulty(broken(content), answer(200, ME))
    assert connect(server.url)("me").id == "u1"
    assert len(server.asked) == 2


def test_a_connection_reset_in_mid_body_is_asked_again(faulty, answer, connect):
    server = faulty(_reset, answer(200, ME))
    assert connect(server.url)("me").id == "u1"


def test_a_coordinator_that_is_down_is_unavailable(connect):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused
        with pytest.raises(CoordinatorUnavailable, match="GET /v1/me"):
            connect(f"http://127.0.0.1:{unused.getsockname()[1]}")("me")


def test_a_name_that_is_not_known_is_unavailable(connect):
    with pytest.raises(CoordinatorUnavailable, match="GET /v1/me"):
        connect("https://coordinator.invalid", deadline=1.0)("me")


@pytest.mark.parametrize(
    "at_once", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b""]
)
def test_an_answer_that_drips_is_given_up_at_the_deadline(faulty, dripping, connect, at_once):
    server = faulty(dripping(at_once))
    client = connect(server.url, deadline=0.5)
    start = time.monotonic()
    with pytest.raises(CoordinatorUnavailable):
        client("me")
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (404, "not-found"), (422, "")])
def test_a_no_is_told_with_its_reason_and_not_asked_again(faulty, answer, connect, status, code):
    server = faulty(answer(status, {"code": code, "message": "because", "request_id": "r1"}))
    with pytest.raises(CoordinatorRefused, match="because") as caught:
        connect(server.url)("me")
    assert (caught.value.status, caught.value.code) == (status, code)
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b"[1]", b'{"code": 3}', b"[" * 100_000])
def test_a_no_without_our_error_body_is_still_a_no(faulty, answer, connect, body):
    server = faulty(answer(403, body))
    with pytest.raises(CoordinatorRefused, match="the coordinator refused") as caught:
        connect(server.url)("me")
    assert caught.value.code == ""


def test_the_reason_of_a_no_cannot_forge_a_line_of_a_log(faulty, answer, connect):
    server = faulty(answer(403, {"code": "x", "message": "no\nERROR all is lost\x1b[31m" + "a" * 10_000}))
    with pytest.raises(CoordinatorRefused) as caught:
        connect(server.url)("me")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b'{"id": "u1", "email": "a@ex',
        b'{"id": NaN, "email": "a", "name": "A", "role": "user"}',
        b'{"id": 1, "email": "a", "name": "A", "role": "user"}',
        b'{"id": "u1", "email": "a", "name": "A"}',
        b"[" * 100_000,
        b'"text"',
        b"\xff\xfe",
        b"",
        b"9" * 10_000,
    ],
    ids=[
        "HTML",
        "truncated",
        "NaN",
        "wrong type",
        "missing field",
        "deep",
        "text",
        "not UTF-8",
        "empty",
        "huge number",
    ],
)
def test_an_answer_that_makes_no_sense_is_a_protocol_error(faulty, answer, connect, body):
    server = faulty(answer(200, body))
    with pytest.raises(CoordinatorProtocolError, match="GET /v1/me: the answer"):
        connect(server.url)("me")
    assert len(server.asked) == 1


def test_an_answer_that_is_too_large_is_not_read_to_its_end(faulty, answer, connect):
    server = faulty(answer(200, b'{"id": "' + b"x" * 50_000_000))
    with pytest.raises(CoordinatorProtocolError, match="larger than 4194304 bytes"):
        connect(server.url)("me")


def test_a_gzip_bomb_is_not_unpacked(faulty, answer, connect):
    bomb = gzip.compress(b" " * 20_000_000)
    server = faulty(answer(200, bomb, Content_Encoding="gzip"))
    with pytest.raises(CoordinatorProtocolError, match="compressed"):
        connect(server.url)("me")
    assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(faulty, answer, connect, status):
    elsewhere = faulty(answer(200, ME))
    server = faulty(answer(status, Location=f"{elsewhere.url}/v1/me"))
    with pytest.raises(CoordinatorProtocolError, match="Redirects are not followed"):
        connect(server.url)("me")
    assert elsewhere.asked == []


def test_an_unasked_for_304_is_a_protocol_error(faulty, answer, connect):
    with pytest.raises(CoordinatorProtocolError, match="304"):
        connect(faulty(answer(304)).url)("policy", "crm")


def test_retry_after_is_honoured(faulty, answer, connect, clock):
    server = faulty(answer(503, Retry_After="3"), answer(200, ME))
    connect(server.url)("me")
    assert clock.pauses == [3.0]


def test_retry_after_as_a_date_is_measured_against_the_servers_own_clock(faulty, answer, connect, clock):
    dates = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Retry_After": "Sat, 21 Nov 2026 10:00:04 GMT"}
    server = faulty(answer(503, **dates), answer(200, ME))
    connect(server.url)("me")
    assert clock.pauses == [4.0]


def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(faulty, answer, connect, clock):
    server = faulty(answer(429, Retry_After="60"))
    with pytest.raises(CoordinatorUnavailable, match="429"):
        connect(server.url)("me")
    assert (len(server.asked), clock.pauses) == (1, [])


def test_pauses_have_jitter(faulty, answer, connect, clock):
    with pytest.raises(CoordinatorUnavailable):
        connect(faulty(answer(503)).url, deadline=20.0)("me")
    assert len(set(clock.pauses)) == len(clock.pauses)


def test_a_post_without_a_key_is_sent_once_and_says_that_its_fate_is_unknown(faulty, answer, connect):
    server = faulty(answer(503))
    with pytest.raises(CoordinatorUnavailable, match="whether it was carried out is not known"):
        connect(server.url)("call", Request("POST", "/v1/x", nothing, {"a": 1}))
    assert len(server.asked) == 1


def test_the_idempotency_key_stays_the_same_over_tries_and_differs_between_calls(faulty, answer, connect):
    server = faulty(answer(503), answer(503), answer(201, {}))
    client = connect(server.url)
    for _ in range(2):
        client("call", Request("POST", "/v1/x", nothing, {"a": 1}, keyed=True))
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert {asked.body for asked in server.asked} == {b'{"a": 1}'}


def test_what_a_lost_try_deleted_already_counts_as_deleted(faulty, answer, connect):
    missing = answer(404, {"code": "not-found", "message": "there is no such token"})
    server = faulty(answer(502), missing)
    connect(server.url)("revoke_token", "01J")
    assert [asked.method for asked in server.asked] == ["DELETE", "DELETE"]


@pytest.mark.parametrize(
    ("before", "body"),
    [((), {"code": "not-found", "message": "no"}), ((502,), b"<html>not found</html>"), ((502,), {"code": "x"})],
    ids=["at the first try", "by a proxy", "of another code"],
)
def test_any_other_404_to_a_delete_is_a_no(faulty, answer, connect, before, body):
    server = faulty(*map(answer, before), answer(404, body))
    with pytest.raises(CoordinatorRefused, match="404"):
        connect(server.url)("revoke_token", "01J")


def test_a_404_to_a_second_try_of_anything_but_a_delete_is_a_no(faulty, answer, connect):
    server = faulty(answer(502), answer(404, {"code": "not-found", "message": "no"}))
    with pytest.raises(CoordinatorRefused, match="404"):
        connect(server.url)("me")


REPORTS = {
    "start_job": (
        JobStart(
            job_id="1" * 32,
            policy_digest="0" * 64,
            engine="local",
            kernels="python",
            source="in.csv",
            target="out.csv",
            started_at=datetime(2026, 11, 21, tzinfo=UTC),
        ),
    ),
    "heartbeat": ("1" * 32, Progress()),
    "finish_job": (
        "1" * 32,
        JobFinish(state=JobState.SUCCEEDED, progress=Progress(), finished_at=datetime(2026, 11, 21, tzinfo=UTC)),
    ),
}


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_has_arrived_where_the_job_comes_back(faulty, answer, connect, report, job):
    assert connect(faulty(answer(201, job)).url)(report, "crm", *REPORTS[report]).job_id == "1" * 32


@pytest.mark.parametrize("report", REPORTS)
def test_a_200_that_is_not_the_job_is_no_delivery(faulty, answer, connect, report, job):
    for body in (b"<html>Please log in</html>", b"", {"status": "ok"}, job | {"job_id": "2" * 32}):
        with pytest.raises(CoordinatorProtocolError, match="the answer"):
            connect(faulty(answer(200, body)).url)(report, "crm", *REPORTS[report])


def test_a_page_with_status_200_deletes_no_report(faulty, answer, tmp_path):
    server = faulty(answer(200, b"<html>Please log in</html>"))
    with CoordinatorClient(server.url, "id,secret", deadline=2.0) as client:
        assert not Outbox(tmp_path, client).finish_job("crm", *REPORTS["finish_job"])
        assert Outbox(tmp_path, client).flush().waiting == 1


def test_no_error_shows_the_token(faulty, answer, connect):
    client = connect(faulty(answer(401, {"code": "unauthorized", "message": "expired"})).url)
    with pytest.raises(CoordinatorRefused) as caught:
        client("me")
    assert TOKEN not in f"{caught.value!r} {client.client!r} {vars(client.client)!r}"


def test_a_missing_policy_is_not_approved(faulty, answer, connect):
    server = faulty(answer(404, {"code": "no-approved-policy", "message": "nothing approved yet", "request_id": "r"}))
    with pytest.raises(NotApproved, match="nothing approved yet"):
        connect(server.url)("policy", "crm")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody has reason to trust, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(host)) for host in ("127.0.0.1", NOT_LOOPBACK)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _over_tls(certificate: Path, body: object):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as tls:
                        tls.recv(65536)
                        tls.sendall(head + content)
                except OSError:
                    continue

    return serve


@pytest.fixture
def tls_server(certificate: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_over_tls(certificate, ME), args=(listener,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_certificate_that_is_not_trusted_is_refused(tls_server, connect):
    with pytest.raises(CoordinatorUnavailable, match="GET /v1/me"):
        connect(tls_server, deadline=2.0)("me")


def test_a_certificate_of_a_given_authority_is_trusted(tls_server, certificate, connect):
    assert connect(tls_server, verify=str(certificate))("me").id == "u1"


@pytest.fixture
def elsewhere(tls_server: str) -> str:
    """The same server at an address that is not known to be this machine."""
    return tls_server.replace("127.0.0.1", NOT_LOOPBACK)


@pytest.fixture
def other_authority() -> str:
    """A file of authorities that do not know the server."""
    return requests.certs.where()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_given_authority_counts_whatever_the_environment_says(
    elsewhere, certificate, other_authority, connect, monkeypatch, variable
):
    monkeypatch.setenv(variable, other_authority)
    assert connect(elsewhere, verify=str(certificate))("me").id == "u1"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_adds_no_authority(elsewhere, certificate, connect, monkeypatch, variable):
    monkeypatch.setenv(variable, str(certificate))
    with pytest.raises(CoordinatorUnavailable, match="GET /v1/me"):
        connect(elsewhere, deadline=2.0)("me")


def test_another_authority_than_the_given_one_is_refused(elsewhere, other_authority, certificate, connect, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(CoordinatorUnavailable, match="GET /v1/me"):
        connect(elsewhere, verify=other_authority, deadline=2.0)("me")


def test_a_proxy_of_the_environment_is_used_for_another_machine_and_never_for_this_one(
    faulty, answer, connect, monkeypatch
):
    proxy, server = faulty(answer(200, ME)), faulty(answer(200, ME))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    connect("http://cape.example", allow_http=True)("me")
    assert [asked.path for asked in proxy.asked] == ["http://cape.example/v1/me"]
    connect(server.url)("me")
    assert (len(proxy.asked), len(server.asked)) == (1, 1)


def test_a_netrc_does_not_replace_the_token(faulty, answer, connect, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine {NOT_LOOPBACK} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = faulty(answer(200, ME))
    connect(server.url.replace("127.0.0.1", NOT_LOOPBACK), allow_http=True)("me")
    assert server.asked[0].headers["authorization"] == f"Bearer 01HFAULTYTOKEN,AQ{TOKEN}"


@pytest.mark.parametrize(("token", "token_id"), [("01J,secret", "01J"), ("secret", "")])
def test_a_token_id_is_no_part_of_the_secret(token, token_id):
    with CoordinatorClient("https://cape.example", token) as client:
        assert client.token_id == token_id
