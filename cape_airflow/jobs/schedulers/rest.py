"""One way to ask all schedulers: a deadline around the whole of it, a largest answer, no redirect, TLS checked.

Timeouts of `httpx` are per read, so that a server which sends a byte now and then holds its caller for ever; the
deadline here is the event loop's, over connection, request and answer. Only a name server that is asked in vain
may take longer than that. Proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from cape_airflow.errors import CapeError
from cape_airflow.jobs.schedulers.failures import JobMissing, SchedulerError, SchedulerUnavailable
from cape_airflow.keys import Secret

T = TypeVar("T")
Query = Mapping[str, str | int]


@dataclass(frozen=True)
class Credentials:
    """What one presents to a scheduler. The secrets are fetched anew for every request, for they may be replaced.

    Args:
        user: for a password.
        password, token: return the secret; they raise SchedulerError where it cannot be had.
    """

    user: str | None = None
    password: Callable[[], Secret] | None = field(default=None, repr=False)
    token: Callable[[], Secret] | None = field(default=None, repr=False)

    @property
    def secret(self) -> bool:
        """Whether there is anything to hide."""
        return self.password is not None or self.token is not None

    def header(self) -> dict[str, str]:
        """Return the header that presents them: Bearer (RFC 6750) or Basic (RFC 7617); none where there are none."""
        if self.token is not None:
            return {"Authorization": f"Bearer {_text(self.token())}"}
        if self.password is not None:
            pair = f"{self.user or ''}:{_text(self.password())}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return {}


@dataclass(frozen=True)
class Rest:
    """The REST API of one scheduler.

    Args:
        name: of the scheduler, for messages.
        base_url: checked, without a trailing slash.
        credentials: what to present.
        ca_file: PEM file of certificate authorities; None for those of `certifi`.
        seconds: for one request, the whole of it.
        max_bytes: largest answer that is taken.
    """

    name: str
    base_url: str
    credentials: Credentials = Credentials()
    ca_file: str | None = None
    seconds: float = 20.0
    max_bytes: int = 32 * 1024 * 1024

    def get(
        self, path: str, kind: type[T], query: Query | None = None, *, headers: Mapping[str, str] | None = None
    ) -> T:
        """Return what the scheduler answers to a GET, read as `kind`.

        Args:
            headers: in place of those that the credentials give.

        Raises:
            SchedulerUnavailable: no answer in time, or a passing failure.
            JobMissing: 404.
            SchedulerError: it refuses, or its answer makes no sense.
        """
        return self.read(self.send("GET", path, query=query, headers=headers), kind)

    def read(self, body: bytes, kind: type[T]) -> T:
        """Return an answer read as `kind`.

        Raises:
            SchedulerError: it makes no sense; says where, and shows nothing of it.
        """
        try:
            return TypeAdapter(kind).validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise SchedulerError(f"{self.name} did not answer with JSON; is the address that of its REST API?")
        # The names in the place may be the answer's own: only those of our models are shown.
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part.isidentifier())[:100]
        raise SchedulerError(f"{self.name} answered what makes no sense at `{place or 'answer'}` ({first['type']})")

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepts: tuple[int, ...] = (200,),
    ) -> bytes:
        """Send a request and return the body of its answer; no redirect is followed.

        Args:
            headers: in place of those that the credentials give.
            accepts: statuses that mean yes.

        Raises:
            SchedulerUnavailable: no answer in time, or a passing failure.
            JobMissing: 404.
            SchedulerError: it refuses, or its answer is too large.
        """
        given = self.credentials.header() if headers is None else headers
        request = httpx.Request(
            method,
            self.base_url + path,
            params=query,
            json=json,
            data=form,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **given},
        )
        status, body = asyncio.run(self._exchange(request))
        if status not in accepts:
            raise self._refusal(status)
        return body

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        try:
            if self.ca_file is not None:
                return ssl.create_default_context(cafile=self.ca_file)
        except OSError:
            raise SchedulerError(f"{self.name}: the ca_file {self.ca_file} holds no certificates") from None
        return httpx.create_ssl_context(verify=True, trust_env=False)

    async def _exchange(self, request: httpx.Request) -> tuple[int, bytes]:
        client = httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=None)  # noqa: S113 - see below
        try:
            async with asyncio.timeout(self.seconds), client:
                response = await client.send(request, stream=True, follow_redirects=False)
                try:
                    return response.status_code, await self._body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise self._unavailable(f"no whole answer within {self.seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._unavailable(f"{type(error).__name__}: the connection broke, or there was none") from None

    async def _body(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SchedulerError(f"{self.name} answered compressed, which was not asked for")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self.max_bytes:
                raise SchedulerError(f"{self.name} answered more than {self.max_bytes} bytes; ask for a shorter time")
        return bytes(body)

    def _refusal(self, status: int) -> CapeError:
        if status in (408, 429) or status >= 500:
            return self._unavailable(f"HTTP {status}")
        if status == 404:
            return JobMissing(f"{self.name} knows nothing of it (HTTP 404)")
        if status in (401, 403):
            return SchedulerError(f"{self.name} refuses these credentials, or wants some (HTTP {status})")
        if 300 <= status < 400:
            return SchedulerError(
                f"{self.name} sends us elsewhere (HTTP {status}), and redirects are not followed; give the address "
                "of the one that answers itself"
            )
        return SchedulerError(f"{self.name} refuses (HTTP {status})")

    def _unavailable(self, reason: str) -> SchedulerUnavailable:
        return SchedulerUnavailable(f"{self.name} is unreachable at {self.base_url}: {reason}")


def segment(text: str) -> str:
    """Return a part of a path, quoted.

    Raises:
        JobMissing: it is empty or made of dots, which would lead to another route.
    """
    if not text.strip("."):
        raise JobMissing("a job's id is not empty, and not made of dots")
    return quote(text, safe="")


def _text(secret: Secret) -> str:
    return secret.reveal().decode("latin-1")
