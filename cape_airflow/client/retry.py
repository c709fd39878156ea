"""One exchange with the coordinator: how long it may take, and which answers are worth another try.

- The deadline is total: it holds for all tries and pauses together.
- Only idempotent requests are sent again: GET, PUT, DELETE, and POSTs that carry an ``Idempotency-Key``, which stays
  the same over all tries.
- Worth another try: no answer at all, 408, 429 and 5xx. Pauses have full jitter and honour ``Retry-After``.
"""

from __future__ import annotations

import itertools
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from cape_airflow.client.protocol import Answer, Conversation, NoAnswer, Request, Send, T, Wait, read
from cape_airflow.errors import CoordinatorUnavailable

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0


@dataclass(frozen=True)
class Limits:
    """What one call may cost.

    Args:
        deadline: seconds for a whole call, all its tries and pauses included.
        max_bytes: largest body that is taken.
        clock: seconds that never go back.
        jitter: where the length of a pause is drawn from.
    """

    deadline: float = 30.0
    max_bytes: int = 4 * 1024 * 1024
    clock: Callable[[], float] = time.monotonic
    jitter: random.Random = field(default_factory=random.SystemRandom)

    def expiry(self) -> float:
        """Return when a call that begins now has to be over, on `clock`."""
        return self.clock() + self.deadline


def exchange(request: Request[T], limits: Limits, expiry: float) -> Conversation[T]:
    """Ask until there is an answer that counts, or no time is left.

    Raises:
        CoordinatorUnavailable: no answer that counts by `expiry`.
        CoordinatorError, NotApproved: see `protocol.read`.
    """
    headers, content = _headers(request), request.content()
    trouble = "no time was left to ask"
    for tries in itertools.count(1):
        left = expiry - limits.clock()
        if left <= 0:
            break
        outcome = yield Send(request.method, request.path, request.query, headers, content, left)
        if isinstance(outcome, Answer) and outcome.whole and not _passing(outcome.status):
            return read(request, outcome, limits.max_bytes, retried=tries > 1)
        trouble = f"{_describe(outcome)} (try {tries})"
        if not request.idempotent:
            trouble += "; whether it was carried out is not known, and asking twice could do it twice"
            break
        pause = max(limits.jitter.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries)), _retry_after(outcome))
        if pause >= expiry - limits.clock():
            break
        yield Wait(pause)
    raise CoordinatorUnavailable(f"{request}: {trouble}")


def _headers(request: Request[T]) -> Mapping[str, str]:
    # `identity`: the cap on the body then holds for what it decodes to, whatever the server is up to.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **request.headers}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    if request.keyed:
        headers["Idempotency-Key"] = secrets.token_hex(16)
    return headers


def _passing(status: int) -> bool:
    return status in (408, 429) or 500 <= status < 600


def _describe(outcome: Answer | NoAnswer | None) -> str:
    if not isinstance(outcome, Answer):
        return outcome.reason if outcome else "no answer"
    return f"HTTP status {outcome.status}" if _passing(outcome.status) else "the answer was cut off"


def _retry_after(outcome: Answer | NoAnswer | None) -> float:
    """Return the seconds that the coordinator asks to wait (RFC 9110 section 10.2.3), 0 where it does not say."""
    headers = outcome.headers if isinstance(outcome, Answer) else {}
    value = headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        # Measured against the server's own Date, so that our clock need not be right.
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, pause.total_seconds())
