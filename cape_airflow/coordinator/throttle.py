"""Failed authentications per client address, over the last minute.

An address over the limit gets 429 instead of 401. A token that is right always passes: with 192 random bits there is
nothing to guess, and a worker with an old token must not lock out its neighbours behind the same address. The count is
of this process.
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
            return max(1, int((times[0] + _WINDOW - now).total_seconds()))
