"""The wire without I/O: what is asked, what came back, and what the answer means.

A *conversation* is a generator. It yields what is to be done (`Send` these bytes, `Wait` so long), takes what came of
it, and returns the typed result. The shells over `requests` and `httpx` do only what it asks for, so that deadlines,
retries, caching and trust are written once, and tested without a network where that is enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from cape_airflow.errors import (
    CapeError,
    CoordinatorProtocolError,
    CoordinatorRefused,
    NotApproved,
)

T = TypeVar("T")

_NOT_APPROVED = ("no-approved-policy", "policy-not-approved")
_LONGEST_REASON = 500
_MISSING = "not-found"


@dataclass(frozen=True)
class Answer:
    """An answer.

    Args:
        status: HTTP status.
        headers: names in lower case.
        body: as it came, cut off after one byte more than the client takes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def whole(self) -> bool:
        """Whether it says where it ends; if not, it may have been cut off (RFC 9112 section 8)."""
        return self.status in (204, 304) or not self.headers.keys().isdisjoint(("content-length", "transfer-encoding"))


@dataclass(frozen=True)
class NoAnswer:
    """No whole answer came; `reason` says why in a few words, without anything of the request."""

    reason: str


@dataclass(frozen=True)
class Request(Generic[T]):
    """One call of the API.

    Args:
        method: GET, PUT, PATCH, POST or DELETE.
        path: below the base URL, quoted (see `address.path_of`).
        parse: turns an accepted answer into the result; raises ValueError where the answer makes no sense.
        body: JSON-able data or a message, sent as JSON; None for no body.
        query: the query string.
        headers: more headers.
        repeatable: asking twice does what asking once does. True of GET, PUT and DELETE by their nature.
        keyed: send an ``Idempotency-Key``, which makes a POST repeatable.
        accepts: statuses that `parse` takes.
    """

    method: str
    path: str
    parse: Callable[[Answer], T]
    body: Mapping[str, Any] | BaseModel | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    keyed: bool = False
    accepts: tuple[int, ...] = (200, 201, 202, 204)

    @property
    def idempotent(self) -> bool:
        """Whether it may be sent again without knowing what became of the first time."""
        return self.repeatable or self.keyed or self.method in ("GET", "PUT", "DELETE")

    def content(self) -> bytes | None:
        """Return the body as UTF-8 JSON, or None."""
        if self.body is None:
            return None
        data = self.body.model_dump(mode="json") if isinstance(self.body, BaseModel) else self.body
        return json.dumps(data, allow_nan=False, ensure_ascii=False).encode()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Send:
    """Send this, and come back within `seconds` with an Answer or a NoAnswer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes | None
    seconds: float


@dataclass(frozen=True)
class Wait:
    """Wait for `seconds`, and come back with nothing."""

    seconds: float


Conversation = Generator[Send | Wait, Answer | NoAnswer | None, T]


def read(request: Request[T], answer: Answer, max_bytes: int, *, retried: bool = False) -> T:
    """Return what the coordinator's answer means.

    Args:
        request: what was asked.
        answer: what came.
        max_bytes: largest body that is taken.
        retried: an earlier try may have been carried out, and its answer lost: what it deleted is missing now.

    Raises:
        CoordinatorProtocolError: too large, compressed although that was not asked for, a redirect, or not the JSON
            that belongs to this request.
        NotApproved: there is no approved policy, or a job's policy is not approved.
        CoordinatorRefused: any other no.
    """
    if len(answer.body) > max_bytes:
        raise CoordinatorProtocolError(f"{request}: the answer is larger than {max_bytes} bytes")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise CoordinatorProtocolError(f"{request}: the answer is compressed, which was not asked for")
    if retried and request.method == "DELETE" and answer.status == 404 and _reason(answer)[0] == _MISSING:
        answer = Answer(204, answer.headers, b"")
    if answer.status in request.accepts:
        try:
            return request.parse(answer)
        except ValueError as error:
            raise CoordinatorProtocolError(f"{request}: {_what_is_wrong(error)}") from None
    if 400 <= answer.status < 500:
        raise _refusal(request, answer)
    raise CoordinatorProtocolError(
        f"{request}: unexpected HTTP status {answer.status}; is the address the coordinator's own? "
        "Redirects are not followed."
    )


def json_of(kind: type[T]) -> Callable[[Answer], T]:
    """Return a parser of JSON bodies of that type; unknown fields are left out, so that a coordinator may add some."""
    adapter = TypeAdapter(kind)
    return lambda answer: adapter.validate_json(answer.body)


def nothing(answer: Answer) -> None:
    """Take any body: the status says it all."""


def _what_is_wrong(error: ValueError) -> str:
    """Say what an answer lacks without showing it: it may hold a key, or another system's page."""
    if not isinstance(error, ValidationError):
        return f"the answer makes no sense: {error}"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return "the answer is not JSON; is the address the coordinator's own?"
    place = ".".join(str(part) for part in first["loc"]) or "answer"
    return f"the answer makes no sense at `{place}` ({first['type']})"


def _refusal(request: Request[Any], answer: Answer) -> CapeError:
    code, message = _reason(answer)
    text = f"{request}: {message} (HTTP {answer.status}{f', {code}' if code else ''})"
    if code in _NOT_APPROVED:
        return NotApproved(text)
    return CoordinatorRefused(text, answer.status, code)


def _reason(answer: Answer) -> tuple[str, str]:
    """Return the code and message of an error body; a proxy's page gives neither."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    body = body if isinstance(body, dict) else {}
    code, message = (_printable(body.get(name)) for name in ("code", "message"))
    return code, message or "the coordinator refused"


def _printable(value: object) -> str:
    """Return text that cannot forge a line of a log."""
    text = value[:_LONGEST_REASON] if isinstance(value, str) else ""
    return "".join(char if char.isprintable() else " " for char in text)
