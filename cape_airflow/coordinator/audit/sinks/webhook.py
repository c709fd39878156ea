"""Rows to a web service, signed.

A request is a POST of lines of JSON. Its header ``Cape-Signature: t=<seconds since 1970>,v1=<hex>`` carries the
HMAC-SHA-256 (RFC 2104) of ``<t>.<body>`` under the shared secret: the receiver refuses what is not signed, or is old.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from cape_airflow.coordinator.audit.chain import Entry
from cape_airflow.coordinator.audit.sinks.sink import Sink, SinkSettings, line_of
from cape_airflow.errors import CoordinatorError

_SECONDS = 10.0
_SHORTEST = 32
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _over_tls(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise ValueError("must be https://, or http:// on this machine")


def _long(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST:
        raise ValueError(f"must have {_SHORTEST} characters at least")
    return secret


class Webhook(BaseModel):
    """A web service, and the secret that it knows us by.

    Args:
        url: ``https://``, or ``http://`` on this machine; redirects are not followed.
        secret: shared with the service; 32 characters at least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_over_tls)]
    secret: Annotated[SecretStr, AfterValidator(_long)]

    def send(self, body: bytes) -> None:
        """Post lines of JSON.

        Raises:
            CoordinatorError: the service did not take them.
        """
        seconds = str(int(time.time()))
        mac = hmac.digest(self.secret.get_secret_value().encode(), f"{seconds}.".encode() + body, "sha256").hex()
        headers = {"Content-Type": "application/x-ndjson", "Cape-Signature": f"t={seconds},v1={mac}"}
        host = urlsplit(self.url).hostname
        try:
            # The answer's body is never read: it may be of any length.
            with httpx.stream("POST", self.url, content=body, headers=headers, timeout=_SECONDS) as answer:
                status = answer.status_code
        except httpx.HTTPError as error:
            raise CoordinatorError(f"the webhook at {host} cannot be reached ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise CoordinatorError(f"the webhook at {host} answers {status}")


class WebhookSink(SinkSettings, Webhook):
    """A line of JSON a row, up to 500 rows a request. Rows that were not taken come again."""

    type: Literal["webhook"]

    def open(self) -> Sink:
        """Return the sink."""
        return _Posts(self)


class _Posts:
    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def deliver(self, entries: Sequence[Entry]) -> None:
        """Post the rows."""
        self._webhook.send("".join(line_of(entry) + "\n" for entry in entries).encode())

    def close(self) -> None:
        """Nothing stays open."""
