"""How Cape said no: ``{"cause": {"Name", "Category"}, "messages"}``, and in GraphQL the same among the `errors`.

What our own clients read (`coordinator.problems`) stands beside it.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

FORESEEN = (HTTPException, RequestValidationError, SQLAlchemyError)
"""What the app has an answer for; see `coordinator.problems`."""

_CATEGORIES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    422: "bad_request",
    500: "internal_error",
}
_NAMES = {
    400: "invalid_input_parameters",
    401: "authentication_failure",
    403: "authorization_failure",
    404: "not_found",
    422: "invalid_input_parameters",
}


async def plain_refusal(request: Request, error: Exception) -> Response:
    """Return the answer that the app gives to one of `FORESEEN` everywhere else."""
    handlers = request.app.exception_handlers
    answer = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)(request, error)
    plain: Response = await answer if inspect.isawaitable(answer) else answer
    return plain


def as_cape_error(plain: Response) -> JSONResponse:
    """Return a refusal as Cape's log in gave it, beside our own words."""
    body = json.loads(bytes(plain.body))
    return _answer(plain, {"cause": _cause(plain), "messages": [body["message"]], **body})


def as_graphql_error(plain: Response) -> JSONResponse:
    """Return a refusal as Cape's GraphQL gave it, beside our own words."""
    body = json.loads(bytes(plain.body))
    extensions = {"cause": _cause(plain), "code": body["code"], "request_id": body["request_id"]}
    return _answer(plain, {"data": None, "errors": [{"message": body["message"], "extensions": extensions}], **body})


def _cause(plain: Response) -> dict[str, str]:
    status = plain.status_code
    return {"Name": _NAMES.get(status, "unknown_cause"), "Category": _CATEGORIES.get(status, "internal_error")}


def _answer(plain: Response, body: dict[str, Any]) -> JSONResponse:
    headers = {name: value for name, value in plain.headers.items() if name in ("retry-after", "www-authenticate")}
    return JSONResponse(body, plain.status_code, headers)
