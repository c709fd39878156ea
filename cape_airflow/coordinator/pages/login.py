"""Pages: log in, log out, and set one's password."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import StringConstraints

from cape_airflow.coordinator import log_in as rules
from cape_airflow.coordinator import own_password
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.rendering import link, page
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.sessions import clear_cookie, end_session, local_path, set_cookie

router = pages_router()

Typed = Annotated[str, StringConstraints(max_length=1024), Form()]
Address = Annotated[str, StringConstraints(max_length=254, strip_whitespace=True, to_lower=True), Form()]


@router.get("/login")
async def login(request: Request, next: str = "") -> Response:
    """Show where to log in."""
    return _page(request, local_path(request, next))


@router.post("/login")
async def log_in(request: Request, email: Address, password: Typed, next: Typed = "") -> Response:
    """Log in, and go to where one wanted to."""
    back = local_path(request, next)
    ticket = await rules.by_password(request, email, password)
    if ticket is None:
        return _page(request, back, email, status=401)
    answer = RedirectResponse(back, 303)
    set_cookie(request, answer, ticket)
    return answer


@router.post("/logout")
def log_out(request: Request, call: CallDep) -> Response:
    """End the session."""
    end_session(call)
    answer = RedirectResponse(link(request, "login"), 303)
    clear_cookie(request, answer)
    return answer


@router.get("/set-password")
async def set_password(request: Request) -> Response:
    """Show where the holder of a one-time link sets his password; a script takes its code out of the address."""
    return page(request, None, "set_password.html", with_code=True)


@router.post("/set-password")
async def take_link(request: Request, code: Typed, password: Typed) -> Response:
    """Set the password, and log in with it."""
    ticket = await own_password.set_by_link(request, code.strip(), password)
    answer = RedirectResponse(local_path(request, ""), 303)
    set_cookie(request, answer, ticket)
    return answer


@router.get("/password")
def own(request: Request, call: CallDep) -> Response:
    """Show where one changes one's password."""
    return page(request, call, "set_password.html", with_code=False)


@router.post("/password")
def change_password(request: Request, call: CallDep, current: Typed, password: Typed) -> Response:
    """Change one's password; all other sessions end."""
    ticket = own_password.change(call, current, password)
    answer = RedirectResponse(local_path(request, ""), 303)
    set_cookie(request, answer, ticket)
    return answer


def _page(request: Request, back: str, email: str = "", *, status: int = 200) -> Response:
    sign_on = request.app.state.coordinator.settings.oidc_issuer is not None
    return page(
        request, None, "login.html", status=status, back=back, email=email, refused=bool(email), sign_on=sign_on
    )
