"""What stands before every route: authentication, permission, then validation, all in one transaction.

The order is fixed: 401, then 404 or 403, then 4xx for the body. The transaction commits before the answer leaves; on
any failure it is rolled back, and with it the audit rows of what did not happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import Message

from cape_airflow.coordinator.access import address_of, authenticate, authorise, note_use, presented_token
from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.call import Call, Coordinator
from cape_airflow.coordinator.edge import read_body
from cape_airflow.coordinator.permissions import PERMISSIONS, Audience, Rule
from cape_airflow.coordinator.problems import Problem, busy
from cape_airflow.coordinator.replay import IdempotencyKey, earlier_answer, keep_answer
from cape_airflow.coordinator.strict_json import parse_json

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Gate:
    """Lets so many requests at the database at once, so that none holds a connection while it waits for a thread.

    Args:
        readers: how many that read.
        writers: how many that write; SQLite takes one, and to queue here is faster than to ask it again and again.
        seconds: how long the others wait before they are told to come back.
    """

    def __init__(self, readers: int, writers: int, seconds: float) -> None:
        self._readers = asyncio.Semaphore(readers)
        self._writers = asyncio.Semaphore(writers)
        self._seconds = seconds

    @asynccontextmanager
    async def turn(self, *, writes: bool) -> AsyncIterator[None]:
        """Wait for a place, and hold it.

        Raises:
            Problem: 503 where none became free in time.
        """
        places = self._writers if writes else self._readers
        try:
            async with asyncio.timeout(self._seconds):
                await places.acquire()
        except TimeoutError:
            raise busy("the coordinator has too much to do; try again") from None
        try:
            yield
        finally:
            places.release()


class GuardedRoute(APIRoute):
    """A route that asks the permission table. Without a row there it cannot be made."""

    def get_route_handler(self) -> Handler:
        """Return the handler, behind its guard."""
        handle = super().get_route_handler()
        rules = {method: PERMISSIONS[method, self.path] for method in self.methods}

        async def guarded(request: Request) -> Response:
            rule = rules[request.method]
            return await handle(request) if rule.audience is Audience.ANYONE else await _answer(request, rule, handle)

        return guarded


async def _call_of(request: Request) -> Call:
    call: Call = request.state.call
    return call


async def _coordinator_of(request: Request) -> Coordinator:
    coordinator: Coordinator = request.app.state.coordinator
    return coordinator


CallDep = Annotated[Call, Depends(_call_of)]
CoordinatorDep = Annotated[Coordinator, Depends(_coordinator_of)]


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return parse_json(await self.body())
        except ValueError as error:
            raise Problem(400, "bad-json", f"the body is refused: {error}") from None


async def _answer(request: Request, rule: Rule, handle: Handler) -> Response:
    coordinator = await _coordinator_of(request)
    settings = coordinator.settings
    presented = presented_token(request, coordinator)
    # Read before the transaction begins: a slow client must not hold it open.
    body = await read_body(request, settings.body_limit, settings.body_seconds)
    key = IdempotencyKey.of(request, body)
    gate: Gate = request.app.state.gate
    writes = request.method != "GET"
    async with gate.turn(writes=writes):
        with coordinator.store.write() if writes else coordinator.store.read() as session:
            call = await run_in_threadpool(_open, request, rule, presented, session, writes)
            if key and (earlier := await run_in_threadpool(earlier_answer, call, key)):
                return earlier
            request.state.call = call
            response = await handle(_StrictRequest(request.scope, _again(body)))
            await run_in_threadpool(_settle, call, key, response)
            return response


def _open(request: Request, rule: Rule, presented: ApiToken, session: Session, writes: bool) -> Call:
    coordinator: Coordinator = request.app.state.coordinator
    address = address_of(request)
    token = authenticate(coordinator, session, presented, address)
    project = authorise(coordinator.seals, session, rule, token.user, request.path_params.get("label"))
    now = coordinator.clock()
    note_use(coordinator, session, token, writes=writes, now=now)
    return Call(coordinator, session, token, project, now, request.state.request_id, address)


def _settle(call: Call, key: IdempotencyKey | None, response: Response) -> None:
    if key:
        keep_answer(call, key, response)
    call.session.commit()


def _again(body: bytes) -> Callable[[], Coroutine[Any, Any, Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
