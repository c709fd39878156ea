"""How operations ask: one request, one that creates, a list to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cape_airflow.client.address import path_of
from cape_airflow.client.protocol import Conversation, Request, T, json_of
from cape_airflow.client.results import Item, Page
from cape_airflow.client.retry import Limits, exchange
from cape_airflow.errors import CoordinatorProtocolError

_PAGE = 200


class Asking:
    """Makes conversations within limits.

    Args:
        limits: what one call may cost.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def call(self, request: Request[T]) -> Conversation[T]:
        """Make one request of the caller's own."""
        return exchange(request, self._limits, self._limits.expiry())

    def _create(self, path: tuple[str, ...], kind: type[T], body: Mapping[str, Any] | None) -> Conversation[T]:
        return self.call(Request("POST", path_of(*path), json_of(kind), body, keyed=True))

    def _list(
        self, path: tuple[str, ...], kind: type[Item], limit: int | None = None, *, expiry: float | None = None
    ) -> Conversation[tuple[Item, ...]]:
        """Turn the pages until their end, or until there are `limit` items."""
        expiry = self._limits.expiry() if expiry is None else expiry
        items: list[Item] = []
        query = {"limit": str(min(limit or _PAGE, _PAGE))}
        while True:
            request = Request("GET", path_of(*path), json_of(Page[kind]), query=query)  # type: ignore[valid-type]
            page = yield from exchange(request, self._limits, expiry)
            items += page.items
            if page.next is None or (limit is not None and len(items) >= limit):
                return tuple(items[:limit])
            if page.next == query.get("after"):
                raise CoordinatorProtocolError(f"{request}: the list does not get on")
            query = {**query, "after": page.next}


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
