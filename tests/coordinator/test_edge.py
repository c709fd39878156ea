"""A12: bodies and requests that a database or another reader would understand differently, or that cost too much."""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse
from starlette.testclient import TestClient

MEGABYTE = 1024 * 1024

HOSTILE = {
    "NUL in a text": b'{"description": "a\\u0000b"}',
    "NUL as a byte": b'{"description": "a\x00b"}',
    "half a surrogate pair": b'{"description": "a\\ud800b"}',
    "half a surrogate pair in a name": b'{"description": "a", "\\udfff": 1}',
    "not UTF-8": b'{"description": "a\xff"}',
    "NaN": b'{"description": "a", "expires_in_days": NaN}',
    "an infinity": b'{"description": "a", "expires_in_days": -Infinity}',
    "an infinity by exponent": b'{"description": "a", "expires_in_days": 1e999}',
    "a name twice": b'{"description": "a", "description": "b"}',
    "a big integer": b'{"description": "a", "expires_in_days": ' + b"9" * 19 + b"}",
    "a huge integer": b'{"description": "a", "expires_in_days": ' + b"9" * 100_000 + b"}",
    "nested lists": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested a little too deeply": b'{"description":' + b"[" * 40 + b"]" * 40 + b"}",
    "cut off": b'{"description": "a"',
    "nothing": b"",
    "no object": b'"description"',
    "a list": b"[]",
    "null": b"null",
    "more than a megabyte": b'{"description": "' + b"a" * MEGABYTE + b'"}',
    "fifty megabytes": b" " * (50 * MEGABYTE),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_A12_a_hostile_body_is_refused(body: bytes, shared_deployment: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answer = shared_deployment.ask("POST", "/v1/tokens", shared_deployment.admin, content=body, headers=headers)
    assert answer.status_code in (400, 413, 422), answer.text
    assert set(answer.json()) == {"code", "message", "request_id"}


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json-seq", ""])
def test_A12_a_body_that_is_not_json_by_its_own_word_is_refused(media_type: str, shared_deployment: Any) -> None:
    headers = {"Content-Type": media_type}
    content = b'{"description": "a"}'
    answer = shared_deployment.ask("POST", "/v1/tokens", shared_deployment.admin, content=content, headers=headers)
    assert answer.status_code == 415


def test_json_in_utf_8_is_taken_with_its_charset_named(shared_deployment: Any) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    content = '{"description": "ünïcode 🦊"}'.encode()
    answer = shared_deployment.ask("POST", "/v1/tokens", shared_deployment.admin, content=content, headers=headers)
    assert answer.json()["description"] == "ünïcode 🦊"


@pytest.mark.parametrize("path", ["/v1/projects/a%00b", "/v1/projects?after=%00", "/v1/tokens/%00"])
def test_A12_a_nul_in_the_address_is_refused(path: str, shared_deployment: Any) -> None:
    assert shared_deployment.ask("GET", path, shared_deployment.admin).status_code == 400


@pytest.mark.parametrize("path", ["/v1/projects/%ed%a0%80", "/v1/projects/" + "x" * 5000, "/v1/tokens/%ff"])
def test_A12_strange_names_in_the_address_name_nothing(path: str, shared_deployment: Any) -> None:
    assert shared_deployment.ask("GET", path, shared_deployment.admin).status_code in (404, 405)


def test_a_body_without_a_length_is_counted_while_it_arrives(shared_deployment: Any) -> None:
    def endless() -> Any:
        for _ in range(100):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json"}
    answer = shared_deployment.ask("POST", "/v1/tokens", shared_deployment.admin, content=endless(), headers=headers)
    assert answer.status_code == 413


def test_A12_a_body_that_never_ends_is_given_up(maker: Any, serve: Any) -> None:
    deployment = maker.deployment(body_seconds=0.3)
    place = urlsplit(serve(deployment.app))
    head = (
        f"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {deployment.admin}\r\nContent-Length: 99\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        began = time.monotonic()
        connection.sendall(head.encode() + b"{")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 5
    assert httpx.get(f"{place.geturl()}/v1/health").is_success


@pytest.mark.parametrize("headers", [{f"X-{number}": "a" for number in range(200)}, {"X-Long": "a" * 40_000}])
def test_A12_a_flood_of_header_fields_is_refused(headers: dict[str, str], serve: Any, shared_deployment: Any) -> None:
    assert httpx.get(f"{serve(shared_deployment.app)}/v1/health", headers=headers).status_code in (400, 431)


SAFE = {"cache-control", "content-security-policy", "referrer-policy", "x-content-type-options", "x-frame-options"}


def test_every_answer_has_a_request_id_and_safe_headers(shared_deployment: Any) -> None:
    for path, status in (("/v1/health", 200), ("/v1/me", 401), ("/nowhere", 404), ("/v1/tokens/%00", 400)):
        answer = shared_deployment.ask("GET", path, headers={"X-Request-ID": "forged"})
        assert answer.status_code == status
        assert len(answer.headers["x-request-id"]) == 36
        assert_safe(answer)
        if status != 200:
            assert answer.json()["request_id"] == answer.headers["x-request-id"]


def assert_safe(answer: Any) -> None:
    headers = answer.headers
    assert set(headers) >= SAFE, (answer.request.url, set(headers))
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    page = headers.get("content-type", "").startswith("text/html")
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert policy["frame-ancestors"] == ("'self'" if page else "'none'")
    assert headers["x-frame-options"] == ("SAMEORIGIN" if page else "DENY")
    assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers, "not over plain HTTP"


def test_the_answers_of_all_routes_have_safe_headers_and_those_with_secrets_are_not_stored(
    shared_deployment: Any, shared_project: Any, examples: Any
) -> None:
    for (method, route), example in examples.items():
        path, body = example(shared_project)
        for token in (None, shared_project.owner, shared_project.worker, shared_deployment.admin):
            answer = shared_deployment.ask(method, path, token, body)
            assert_safe(answer)
            if answer.is_success and "/polic" not in route and "/static" not in route:
                assert answer.headers["cache-control"] == "no-store", route


def test_P11_a_page_may_be_framed_by_its_own_origin_and_runs_nothing_that_stands_in_it(maker: Any) -> None:
    app = maker.deployment().app
    app.get("/page")(lambda: HTMLResponse("<p>"))
    answer = TestClient(app).get("/page")
    assert_safe(answer)
    assert answer.headers["referrer-policy"] == "same-origin"


def test_over_tls_the_browser_is_told_to_stay_there_unless_the_host_has_the_say(deployment: Any) -> None:
    alone = TestClient(deployment.app, base_url="https://cape.example.com")
    assert "max-age=" in alone.get("/v1/health").headers["strict-transport-security"]
    parent = FastAPI()
    parent.mount("/cape", deployment.app)
    mounted = TestClient(parent, base_url="https://airflow.example.com")
    assert "strict-transport-security" not in mounted.get("/cape/v1/health").headers


def test_L3_the_request_id_is_the_clients_where_it_is_a_uuid_and_else_the_servers(shared_deployment: Any) -> None:
    given = "0190c5a2-1111-4222-8333-444455556666"
    for asked, kept in ((given, True), (given.upper(), False), (given + "0", False), ("", False)):
        answer = shared_deployment.ask("GET", "/v1/me", headers={"X-Request-ID": asked})
        assert (answer.headers["x-request-id"] == given) is kept, asked
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    twice = [("X-Request-ID", given), ("X-Request-ID", given)]
    assert shared_deployment.http.get("/v1/me", headers=twice).headers["x-request-id"] != given


def test_a_failure_that_nobody_foresaw_has_the_same_headers_and_its_reason_is_in_the_log_only(
    deployment: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ValueError("a secret thing")

    deployment.app.get("/broken")(broken)
    answer = deployment.ask("GET", "/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert_safe(answer)
    assert "a secret thing" not in answer.text
    assert "a secret thing" in caplog.text
