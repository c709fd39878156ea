"""Failed authentications per client address, and per account where there is a password, over the last minute.

An address over the limit gets 429 instead of 401. A token that is right always passes: with 192 random bits there is
nothing to guess, and a worker with an old token must not lock out its neighbours behind the same address. Passwords
can be guessed: over the limit they are not even looked at. The count is of this process.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from threading import Lock

_WINDOW = timedelta(minutes=1)
_ADDRESSES = 10_000


class Throttle:
    """Counts failures; forgets the addresses that failed longest ago when there are too many.

    Args:
        limit: failures per minute and address that are answered normally.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def waiting(self, address: str, now: datetime) -> int:
        """Return the seconds until a guess is looked at again; 0 while the next failure is within the limit."""
        with self._lock:
            times = self._failures.get(address, ())
            recent = [moment for moment in times if now - moment < _WINDOW]
            return 0 if len(recent) < self._limit else _seconds_until_over(recent[0], now)

    def fail(self, address: str, now: datetime) -> int:
        """Note a failure.

        Returns:
            Seconds to wait before the next try is answered normally; 0 while within the limit.
        """
        with self._lock:
            times = self._failures.pop(address, deque(maxlen=self._limit + 1))
            self._failures[address] = times
            if len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)
            times.append(now)
            while now - times[0] >= _WINDOW:
                times.popleft()
            if len(times) <= self._limit:
                return 0
            return _seconds_until_over(times[0], now)


def _seconds_until_over(failure: datetime, now: datetime) -> int:
    return max(1, int((failure + _WINDOW - now).total_seconds()))
