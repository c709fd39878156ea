"""What every request and answer passes first and last: request ids, refused paths, body limits, security headers."""

from __future__ import annotations

import asyncio
import uuid

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cape_airflow.coordinator.problems import Problem

_HEADER_COUNT = 100
_HEADER_BYTES = 32 * 1024

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Edge:
    """ASGI middleware around the whole app. The request id is the server's own, whatever the client sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if refused := _refusal(scope):
            body = {"code": "bad-request", "message": refused[1], "request_id": request_id}
            await JSONResponse(body, refused[0])(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        return 400, "the address holds a NUL character"
    if len(scope["headers"]) > _HEADER_COUNT or sum(len(value) for _, value in scope["headers"]) > _HEADER_BYTES:
        return 431, f"a request may have {_HEADER_COUNT} header fields of {_HEADER_BYTES} bytes together"
    return None


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """Return the request's body.

    Raises:
        Problem: 413 above `limit` bytes, 408 after `seconds`, 415 where it is not JSON by its own word.
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
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media_type != "application/json":
        raise Problem(415, "not-json", "send the body as application/json")
    return bytes(body)
