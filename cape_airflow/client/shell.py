"""What both clients are made of: a checked address, a token that cannot be seen, limits, and the operations."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from cape_airflow.client.address import parse_address
from cape_airflow.client.operations import Operations
from cape_airflow.client.protocol import Send
from cape_airflow.client.retry import Limits
from cape_airflow.errors import CoordinatorError
from cape_airflow.keys import Secret

OVERDUE = "no whole answer within the deadline"
BROKEN = "the connection broke, or there was none"
CHUNK = 64 * 1024


class Shell(ABC):
    """A connection to one coordinator.

    Args:
        base_url: ``https://host[:port][/path]``.
        token: an API token.
        deadline: seconds for one call, all its tries, pauses and pages included.
        max_bytes: largest answer that is taken.
        verify: check TLS certificates: True for the authorities that come with `certifi`, False, or the path of a file
            of CA certificates. ``REQUESTS_CA_BUNDLE`` and the like in the environment change none of them; proxies are
            taken from there (``HTTPS_PROXY``, ``NO_PROXY``), but never to this machine.
        signing_keys: Ed25519 public keys that approvals may be signed with, base64url; None: those that the
            coordinator names at the first fetch of a policy.
        allow_http: take plain ``http`` to another machine.
        clock: seconds that never go back.
        jitter: where the length of a pause is drawn from.
        sleep: waits for so many seconds; asynchronous for the asynchronous client.

    Raises:
        CoordinatorError: the address, the token or a signing key cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        token: str | Secret,
        *,
        deadline: float = 30.0,
        max_bytes: int = 4 * 1024 * 1024,
        verify: bool | str = True,
        signing_keys: Iterable[str] | None = None,
        allow_http: bool = False,
        clock: Callable[[], float] = time.monotonic,
        jitter: random.Random | None = None,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        self._address = parse_address(base_url, allow_http=allow_http)
        self._token = _checked(token)
        self._limits = Limits(deadline, max_bytes, clock, jitter or random.SystemRandom())
        self._operations = Operations(self._limits, None if signing_keys is None else tuple(signing_keys))
        self._sleep = sleep
        self._open(verify)

    @abstractmethod
    def _open(self, verify: bool | str) -> None:
        """Prepare the connections; nothing is sent yet."""

    @property
    def base_url(self) -> str:
        """Where the coordinator is, without a trailing slash."""
        return self._address.url

    @property
    def token_id(self) -> str:
        """Which token it is: the part before the comma, which is no secret; empty where the token has none."""
        token_id, comma, _ = self._token.reveal().decode("ascii").partition(",")
        return token_id if comma else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def _headers(self, send: Send) -> dict[str, str]:
        return {**send.headers, "Authorization": f"Bearer {self._token.reveal().decode('ascii')}"}


def _checked(token: str | Secret) -> Secret:
    """Return the token, which must be fit for a header: a library's complaint would show it."""
    raw = token.reveal() if isinstance(token, Secret) else token.encode()
    if not raw or not all(0x21 <= byte <= 0x7E for byte in raw):
        raise CoordinatorError("the API token is empty, or holds characters that no token has")
    return Secret(raw)
