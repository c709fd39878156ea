"""Pages: to the OpenID provider, and back from it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from cape_airflow.coordinator import oidc
from cape_airflow.coordinator.guard import CoordinatorDep, transaction, visitor
from cape_airflow.coordinator.identities import Identity, admit
from cape_airflow.coordinator.invitations import base_of
from cape_airflow.coordinator.log_in import begin_session
from cape_airflow.coordinator.pages.rendering import link
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.sessions import local_path, set_cookie
from cape_airflow.coordinator.tickets import Ticket

router = pages_router("/login/oidc")

Text = Annotated[str, Query(max_length=4096)]


@router.get("")
async def sign_on(request: Request, coordinator: CoordinatorDep, next: Text = "") -> Response:
    """Send the browser to the provider."""
    back = f"{base_of(request, coordinator.settings)}{router.prefix}/callback"
    begun = oidc.SignOn.begin(coordinator, back, local_path(request, next))
    answer = RedirectResponse(await oidc.address_to_log_in(coordinator, begun), 303)
    seconds = int(oidc.LIFE.total_seconds())
    answer.set_cookie(
        oidc.COOKIE,
        begun.seal(coordinator),
        max_age=seconds,
        path=link(request, "signed_on"),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/callback")
async def signed_on(request: Request, coordinator: CoordinatorDep, state: Text = "", code: Text = "") -> Response:
    """Take whom the provider vouches for in."""
    begun = oidc.SignOn.open(coordinator, request.cookies.get(oidc.COOKIE, ""))
    if not code:
        raise Problem(403, "sign-on-refused", "the provider did not log you in; try again, or ask whoever runs it")
    identity = await oidc.identity_of(coordinator, begun, state, code)
    async with transaction(request, writes=True) as session:
        ticket = await run_in_threadpool(_take_in, request, session, identity)
    answer = RedirectResponse(begun.back, 303)
    set_cookie(request, answer, ticket)
    answer.delete_cookie(oidc.COOKIE, path=link(request, "signed_on"))
    return answer


def _take_in(request: Request, session: Session, identity: Identity) -> Ticket:
    ticket = begin_session(request, session, admit(visitor(request, session), identity))
    session.commit()
    return ticket
