"""The client for event loops (triggers): conversations carried out over `httpx`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self

import httpx

from cape_airflow.client.operations import Operations
from cape_airflow.client.protocol import Answer, Conversation, NoAnswer, Send, T, Wait
from cape_airflow.client.shell import BROKEN, OVERDUE, Shell

P = ParamSpec("P")


def _awaited(
    operation: Callable[Concatenate[Operations, P], Conversation[T]],
) -> Callable[Concatenate[AsyncCoordinatorClient, P], Coroutine[Any, Any, T]]:
    @wraps(operation)
    async def method(self: AsyncCoordinatorClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._carry_out(operation(self._operations, *args, **kwargs))

    return method


class AsyncCoordinatorClient(Shell):
    """Talks to a coordinator from one event loop. Close it, or use it as an asynchronous context manager.

    See `Shell` for its arguments.
    """

    def _open(self, verify: bool | str) -> None:
        if isinstance(verify, str):
            context = ssl.create_default_context(cafile=verify)
        else:
            context = httpx.create_ssl_context(verify=verify, trust_env=False)
        self._http = httpx.AsyncClient(
            verify=context,
            trust_env=not self._address.loopback,  # for proxies; the context is ours
            timeout=None,  # noqa: S113 - the deadline is around the whole of it, see _send
        )

    call = _awaited(Operations.call)
    me = _awaited(Operations.me)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _carry_out(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Wait):
                    await (self._sleep or asyncio.sleep)(step.seconds)
                    step = conversation.send(None)
                else:
                    step = conversation.send(await self._send(step))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _send(self, send: Send) -> Answer | NoAnswer:
        try:
            async with asyncio.timeout(send.seconds):
                return await self._exchange(send)
        except TimeoutError:
            return NoAnswer(OVERDUE)
        except (httpx.HTTPError, OSError):
            return NoAnswer(BROKEN)

    async def _exchange(self, send: Send) -> Answer:
        async with self._http.stream(
            send.method,
            self.base_url + send.path,
            params=send.query,
            headers=self._headers(send),
            content=send.content,
            follow_redirects=False,
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._limits.max_bytes:
                    break
            return Answer(response.status_code, dict(response.headers), bytes(body))
