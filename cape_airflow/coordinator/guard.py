"""What stands before every route: authentication, permission, then validation, all in one transaction.

The order is fixed: 401, then 404 or 403, then 4xx for the body. The transaction commits before the answer leaves; on
any failure it is rolled back, and with it the audit rows of what did not happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import Message

from cape_airflow.coordinator import passwords
from cape_airflow.coordinator.access import address_of, authorise
from cape_airflow.coordinator.audit.reads import record_read
from cape_airflow.coordinator.call import Call, Caller, Coordinator
from cape_airflow.coordinator.credentials import Credential, identify, presented_credential
from cape_airflow.coordinator.csrf import check_csrf, check_origin
from cape_airflow.coordinator.edge import media_type, read_body
from cape_airflow.coordinator.forms import FORM, Fields, parse_form
from cape_airflow.coordinator.identities import Identity, admit, known
from cape_airflow.coordinator.permissions import PERMISSIONS, Audience, Rule
from cape_airflow.coordinator.problems import Problem, busy
from cape_airflow.coordinator.replay import IdempotencyKey, earlier_answer, keep_answer
from cape_airflow.coordinator.sessions import to_login
from cape_airflow.coordinator.store.models import Project
from cape_airflow.coordinator.strict_json import parse_json

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_JSON = "application/json"
_PROGRAMS = ("/v1/", "/metrics")


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
        self._guesses = asyncio.Semaphore(passwords.AT_ONCE)
        self._seconds = seconds

    def turn(self, *, writes: bool) -> AbstractAsyncContextManager[None]:
        """Wait for a place at the database, and hold it.

        Raises:
            Problem: 503 where none became free in time.
        """
        return self._hold(self._writers if writes else self._readers)

    def guess(self) -> AbstractAsyncContextManager[None]:
        """Wait for a place to look at a password: whoever waits for it in a thread takes that from all others.

        Raises:
            Problem: 503 where none became free in time.
        """
        return self._hold(self._guesses)

    @asynccontextmanager
    async def _hold(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
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
    """A route that asks the permission table. Without a row there it cannot be made.

    Outside of ``/v1`` and ``/metrics`` it is a page: it takes forms in place of JSON, and sends whoever is not logged
    in to do so.
    """

    def get_route_handler(self) -> Handler:
        """Return the handler, behind its guard."""
        handle = super().get_route_handler()
        rules = {method: PERMISSIONS[method, self.path] for method in self.methods}
        page = not self.path.startswith(_PROGRAMS)
        accepted = FORM if page else _JSON

        async def guarded(request: Request) -> Response:
            rule = rules[request.method]
            if rule.audience is Audience.ANYONE:
                return await _answer_anyone(request, handle, accepted)
            try:
                return await _answer(request, rule, handle, accepted)
            except Problem as problem:
                if page and problem.status_code == 401 and "authorization" not in request.headers:
                    return to_login(request)
                raise

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


@asynccontextmanager
async def transaction(request: Request, *, writes: bool) -> AsyncIterator[Session]:
    """Wait for a place at the database, and give a session on it; whoever writes commits.

    Raises:
        Problem: 503 where none became free in time.
    """
    gate: Gate = request.app.state.gate
    store = (await _coordinator_of(request)).store
    async with gate.turn(writes=writes):
        with store.write() if writes else store.read() as session:
            yield session


def visitor(request: Request, session: Session, caller: Caller | None = None) -> Call:
    """Return the call of a route for anyone: of nobody, or of whom the route itself has found out."""
    return _call(request, session, caller, None)


async def _answer_anyone(request: Request, handle: Handler, accepted: str) -> Response:
    if request.method == "GET":
        return await handle(request)
    check_origin(request)
    body, _ = await _body(request, accepted)
    return await handle(_StrictRequest(request.scope, _again(body)))


async def _answer(request: Request, rule: Rule, handle: Handler, accepted: str) -> Response:
    credential = await presented_credential(request, await _coordinator_of(request))
    if isinstance(credential, Identity):
        await _settle_in(request, credential)
    # Read before the transaction begins: a slow client must not hold it open.
    body, form = await _body(request, accepted)
    key = IdempotencyKey.of(request, body)
    async with transaction(request, writes=_writes(request)) as session:
        call = await run_in_threadpool(_open, request, rule, credential, form, session)
        if key and (earlier := await run_in_threadpool(earlier_answer, call, key)):
            return earlier
        request.state.call = call
        response = await handle(_StrictRequest(request.scope, _again(body)))
        await run_in_threadpool(_settle, call, key, request, response)
        return response


async def _settle_in(request: Request, identity: Identity) -> None:
    """Make whom the system around us names a user here before his request is looked at, where he is none yet."""
    async with transaction(request, writes=False) as session:
        if await run_in_threadpool(known, await _coordinator_of(request), session, identity):
            return
    async with transaction(request, writes=True) as session:
        await run_in_threadpool(admit, visitor(request, session), identity)
        await run_in_threadpool(session.commit)


def _writes(request: Request) -> bool:
    return request.method != "GET"


async def _body(request: Request, accepted: str) -> tuple[bytes, Fields]:
    """Return the body, and its fields where it is a form."""
    settings = (await _coordinator_of(request)).settings
    body = await read_body(request, settings.body_limit, settings.body_seconds, accepted)
    try:
        return body, parse_form(body) if media_type(request) == FORM else {}
    except ValueError as error:
        raise Problem(400, "bad-form", f"the form is refused: {error}") from None


def _open(request: Request, rule: Rule, credential: Credential, form: Fields, session: Session) -> Call:
    coordinator: Coordinator = request.app.state.coordinator
    caller = identify(request, coordinator, session, credential, writes=_writes(request))
    request.state.user_id = caller.user.id  # for the log
    project = authorise(coordinator.seals, session, rule, caller.user, request.path_params.get("label"))
    if caller.csrf_token is not None:
        check_csrf(request, form, caller.csrf_token)
    return _call(request, session, caller, project)


def _call(request: Request, session: Session, caller: Caller | None, project: Project | None) -> Call:
    coordinator: Coordinator = request.app.state.coordinator
    now = coordinator.clock()
    return Call(coordinator, session, caller, project, now, request.state.request_id, address_of(request))


def _settle(call: Call, key: IdempotencyKey | None, request: Request, response: Response) -> None:
    if key:
        keep_answer(call, key, response)
    record_read(call, request, response)
    call.session.commit()


def _again(body: bytes) -> Callable[[], Coroutine[Any, Any, Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
