"""What every request and answer passes first and last: request ids, refused paths, body limits, security headers."""

from __future__ import annotations

import asyncio
import re
import time
import uuid

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cape_airflow.coordinator.logs import log_request
from cape_airflow.coordinator.problems import Problem, unexpected

_HEADER_COUNT = 100
_HEADER_BYTES = 32 * 1024

_REQUEST_ID = re.compile(rb"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Pages are shown in a frame of Airflow's own pages. They load what we serve, and nothing that stands in them runs.
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
}
_TLS_ONLY = "max-age=31536000"


class Edge:
    """ASGI middleware around the whole app.

    The request id is the client's where it is a UUID in lower case, so that a proxy's log and ours fit together; else
    one of our own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            if refused := _refusal(scope):
                body = {"code": "bad-request", "message": refused[1], "request_id": request_id}
                await JSONResponse(body, refused[0])(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if status:
                raise  # half an answer is out, and no other can be given
            await unexpected(Request(scope), error)(scope, receive, send_with_headers)
        finally:
            log_request(scope, status, began)


def _request_id(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return given[0].decode() if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else str(uuid.uuid4())


def _complete(scope: Scope, headers: MutableHeaders) -> None:
    headers["X-Request-ID"] = scope["state"]["request_id"]
    page = headers.get("content-type", "").startswith("text/html")
    for name, value in (_PAGE_HEADERS if page else _HEADERS).items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https" and not scope.get("root_path"):  # mounted, that is for the host to say
        headers.setdefault("Strict-Transport-Security", _TLS_ONLY)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        return 400, "the address holds a NUL character"
    if len(scope["headers"]) > _HEADER_COUNT or sum(len(value) for _, value in scope["headers"]) > _HEADER_BYTES:
        return 431, f"a request may have {_HEADER_COUNT} header fields of {_HEADER_BYTES} bytes together"
    return None


async def read_body(request: Request, limit: int, seconds: float, accepted: str) -> bytes:
    """Return the request's body.

    Args:
        accepted: the media type that the route takes.

    Raises:
        Problem: 413 above `limit` bytes, 408 after `seconds`, 415 where it is something else by its own word.
    """
    too_large = Problem(413, "too-large", f"a body may have {limit} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise Problem(408, "too-slow", f"the body did not arrive within {seconds:g} s") from None
    if body and media_type(request) != accepted:
        raise Problem(415, "not-json", f"send the body as {accepted}")
    return bytes(body)


def media_type(request: Request) -> str:
    """Return what the request's body is by its own word (RFC 9110 section 8.3), in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
