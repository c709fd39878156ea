"""A12: bodies and requests that a database or another reader would understand differently, or that cost too much."""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

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


def test_every_answer_has_a_request_id_of_the_servers_own_and_safe_headers(shared_deployment: Any) -> None:
    asked = {"X-Request-ID": "forged"}
    for path, status in (("/v1/health", 200), ("/v1/me", 401), ("/nowhere", 404), ("/v1/tokens/%00", 400)):
        answer = shared_deployment.ask("GET", path, headers=asked)
        assert answer.status_code == status
        assert len(answer.headers["x-request-id"]) == 36
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        if status != 200:
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
