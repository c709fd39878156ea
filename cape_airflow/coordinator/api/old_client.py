"""For clients of Cape Python 0.3: the log in and the GraphQL that they speak. See docs/old-client.md.

They log in with an API token and come back with a cookie. It holds that token and nothing more: what goes for the token
(its expiry, its revocation, its seal) goes for the cookie, and there is no session beside it. No page of another site
makes a browser send it (`SameSite=Strict`), nor send JSON.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from cape_airflow.coordinator.access import address_of, authenticate, note_use, presented_token
from cape_airflow.coordinator.api.shapes import Answer, Body, Moment
from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call, Caller, Coordinator
from cape_airflow.coordinator.graphql.documents import read_document
from cape_airflow.coordinator.graphql.refusals import FORESEEN, as_cape_error, as_graphql_error, plain_refusal
from cape_airflow.coordinator.graphql.schema import SCHEMA, Asked, answer
from cape_airflow.coordinator.guard import CallDep, CoordinatorDep, GuardedRoute, Handler, transaction
from cape_airflow.coordinator.store.models import Token
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import from_base64url, to_base64url

COOKIE = "token"

Text = Annotated[str, StringConstraints(max_length=8_000)]
Short = Annotated[str, StringConstraints(max_length=200)]


class LogInRoute(GuardedRoute):
    """A guarded route that takes the cookie for a token, and says no as Cape's log in did."""

    def get_route_handler(self) -> Handler:
        """Return the handler, behind its guard and with Cape's answers."""
        handle = super().get_route_handler()

        async def handle_as_cape(request: Request) -> Response:
            try:
                return await handle(_with_token_of_cookie(request))
            except FORESEEN as error:
                return self.refusal(await plain_refusal(request, error))

        return handle_as_cape

    def refusal(self, plain: Response) -> JSONResponse:
        """Return a refusal in Cape's shape."""
        return as_cape_error(plain)


class QueryRoute(LogInRoute):
    """The same for GraphQL."""

    def refusal(self, plain: Response) -> JSONResponse:
        """Return a refusal in the shape of Cape's GraphQL."""
        return as_graphql_error(plain)


login_router = APIRouter(prefix="/v1", route_class=LogInRoute, tags=["clients of Cape"])
query_router = APIRouter(prefix="/v1", route_class=QueryRoute, tags=["clients of Cape"])


class LogIn(Body):
    """An API token in two parts; the secret is base64url, without the version byte that stands before it in a token."""

    token_id: Short
    secret: Short


class LoggedIn(Answer):
    """Who logged in, and until when; `token` is what the cookie holds."""

    id: str
    user_id: str
    owner_id: str
    expires_at: Moment
    token: str


class Query(Body):
    """A GraphQL request (GraphQL over HTTP)."""

    query: Text
    variables: dict[str, Any] | None = None
    operationName: Short | None = None  # noqa: N815 - GraphQL's name


class QueryAnswer(Answer):
    """The data that was asked for."""

    data: dict[str, Any]


@login_router.post("/login")
async def log_in(body: LogIn, request: Request, response: Response, coordinator: CoordinatorDep) -> LoggedIn:
    """Check an API token, and put it into a cookie."""
    presented = presented_token(_with_header(request, _token_of(body)), coordinator)
    async with transaction(request, writes=True) as session:
        token = await run_in_threadpool(_record_log_in, request, coordinator, session, presented)
    cookie = to_base64url(presented.write().encode())
    response.set_cookie(
        COOKIE, cookie, path=None, httponly=True, secure=request.url.scheme == "https", samesite="strict"
    )
    user = token.user.id
    return LoggedIn(id=token.id, user_id=user, owner_id=user, expires_at=token.expires_at, token=cookie)


@query_router.post("/query")
def query(body: Query, request: Request, call: CallDep) -> QueryAnswer:
    """Answer a GraphQL query of `me`, `project` or `addAuditLog`."""
    document = read_document(body.query, SCHEMA)
    return QueryAnswer(data=answer(Asked(request, call), document, body.variables, body.operationName))


def _record_log_in(request: Request, coordinator: Coordinator, session: Session, presented: ApiToken) -> Token:
    address, now = address_of(request), coordinator.clock()
    token = authenticate(coordinator, session, presented, address)
    note_use(coordinator, session, token, writes=True, now=now)
    call = Call(coordinator, session, Caller(token.user, token), None, now, request.state.request_id, address)
    call.record(Event.LOG_IN, "token", token.id)
    session.commit()
    return token


def _token_of(body: LogIn) -> bytes:
    """Return the token as it is written in one piece; nothing where the secret is none."""
    try:
        return ApiToken(body.token_id, Secret(from_base64url(body.secret))).write().encode()
    except ValueError:
        return b""


def _with_token_of_cookie(request: Request) -> Request:
    cookie = request.cookies.get(COOKIE)
    if cookie is None or "authorization" in request.headers:
        return request
    try:
        return _with_header(request, from_base64url(cookie))
    except ValueError:
        return _with_header(request, b"")


def _with_header(request: Request, token: bytes) -> Request:
    """Return the request with this token in place of any other."""
    others = [(name, value) for name, value in request.scope["headers"] if name != b"authorization"]
    headers = [*others, (b"authorization", b"Bearer " + token)]
    return Request({**request.scope, "headers": headers}, request.receive)
