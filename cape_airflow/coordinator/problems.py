"""Every answer that says no: ``{"code", "message", "request_id"}``. A message never holds what somebody sent."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError, SQLAlchemyError, TimeoutError
from starlette.exceptions import HTTPException

from cape_airflow.coordinator.permissions import PERMISSIONS

log = logging.getLogger(__name__)

_RETRY_SECONDS = "2"
_SHOWN = 5


class Problem(HTTPException):
    """A request that is refused.

    Args:
        status: HTTP status.
        code: the machine-readable reason, e.g. ``own-suggestion``.
        message: what is wrong and the way out, for people.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code = code


def missing(what: str) -> Problem:
    """Return the 404 for a thing that is not there, or that the caller may not know of."""
    return Problem(404, "not-found", f"there is no such {what}")


def busy(message: str) -> Problem:
    """Return the 503 for trouble that passes."""
    return Problem(503, "unavailable", message, {"Retry-After": _RETRY_SECONDS})


def install(app: FastAPI) -> None:
    """Make `app` answer every failure in one shape; `Edge` answers those that nobody foresaw."""
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(SQLAlchemyError)(_database)


def _refused(request: Request, error: HTTPException) -> JSONResponse:
    code = error.code if isinstance(error, Problem) else _HTTP_CODES.get(error.status_code, "refused")
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return _answer(request, error.status_code, code, str(error.detail), headers)


def _allowed(request: Request) -> str:
    """Return all methods of the path (RFC 9110 section 10.2.1); Starlette knows those of its first route only."""
    place = request.scope["route"].path
    return ", ".join(sorted(method for method, path in PERMISSIONS if path == place))


def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    known = _field_names(request.app)
    complaints = [_complaint(item, known) for item in error.errors()]
    more = f"; and {len(complaints) - _SHOWN} more" if len(complaints) > _SHOWN else ""
    return _answer(request, 422, "invalid", "; ".join(complaints[:_SHOWN]) + more)


def _database(request: Request, error: SQLAlchemyError) -> JSONResponse:
    if isinstance(error, IntegrityError):
        return _answer(request, 409, "conflict", "somebody else made the same thing at the same moment; look again")
    if isinstance(error, OperationalError | InternalError | TimeoutError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        log.error("database trouble: %s", type(getattr(error, "orig", None) or error).__name__)
        return _refused(request, busy("the database cannot do this now; nothing was changed; try again"))
    return unexpected(request, error)


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """Return the 500 for what nobody foresaw, and write to the log what it was."""
    log.error("request %s failed", request.state.request_id, exc_info=error)
    return _answer(request, 500, "internal", "the coordinator failed; its log says why, under this request id")


def _answer(
    request: Request, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body = {"code": code, "message": message, "request_id": request.state.request_id}
    return JSONResponse(body, status, headers)


def _complaint(error: Mapping[str, Any], known: frozenset[str]) -> str:
    """Return where and what, without the value and without names that the client made up."""
    if error["type"] == "extra_forbidden":
        return f"{_place(error['loc'][:-1], known)}: has a field that is not known here"
    if error["type"] == "value_error":  # raised by our own checks; pydantic's others may quote what was sent
        return f"{_place(error['loc'], known)}: {error['ctx']['error']}"
    return f"{_place(error['loc'], known)}: {error['msg']}"


def _place(location: Iterable[str | int], known: frozenset[str]) -> str:
    return ".".join(str(part) if isinstance(part, int) or part in known else "?" for part in location)


def _field_names(app: FastAPI) -> frozenset[str]:
    """Return the names of all fields and parameters of the API."""
    description = app.openapi()
    schemas = description["components"]["schemas"].values()
    fields = {name for schema in schemas for name in schema.get("properties", ())}
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    parameters = {parameter["name"] for operation in operations for parameter in operation.get("parameters", ())}
    return frozenset(fields | parameters | {"body", "path", "query", "header"})


_HTTP_CODES = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}
