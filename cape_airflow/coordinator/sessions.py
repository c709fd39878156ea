"""Sessions of browsers: a cookie that holds a random ticket, a row that says whose it is and how long.

A session ends an hour after its last request, twelve hours after its log in, at log out, and with its user. Its row is
then gone: what the cookie holds is worth nothing any more, whoever has copied it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import BrowserSession, User
from cape_airflow.coordinator.tickets import Ticket

COOKIE = "cape_session"
IDLE = timedelta(hours=1)
LIFE = timedelta(hours=12)


def presented_session(request: Request) -> Ticket | None:
    """Return the ticket in the request's cookie, not yet checked; None where there is none."""
    return Ticket.parse(request.cookies.get(COOKIE, ""))


def find_session(session: Session, ticket: Ticket, now: datetime) -> BrowserSession | None:
    """Return the session that the ticket belongs to; None where there is none any more. Its seal is not yet checked."""
    row = session.scalar(select(BrowserSession).where(BrowserSession.secret_digest == ticket.digest()))
    return row if row is not None and now < min(row.expires_at, row.last_used_at + IDLE) else None


def open_session(call: Call, user: User) -> Ticket:
    """Begin a session of a user who has just proved who he is, and clear up those that are over.

    The ticket is new at each log in, so that nobody can foist one of his own on somebody else.
    """
    call.session.execute(delete(BrowserSession).where(BrowserSession.expires_at <= call.now))
    ticket = Ticket.generate()
    row = BrowserSession(
        id=new_id(call.now),
        user=user,
        secret_digest=ticket.digest(),
        created_at=call.now,
        last_used_at=call.now,
        expires_at=call.now + LIFE,
    )
    call.seals.put(row)
    call.session.add(row)
    return ticket


def end_session(call: Call) -> None:
    """End the session that the caller came with; what he had in his cookie is worth nothing from now on."""
    if call.caller is None or call.caller.browser is None:
        raise Problem(409, "no-session", "you did not log in here; an API token is revoked, not logged out")
    call.session.delete(call.caller.browser)
    call.record(Event.LOG_OUT, "user", call.user.id, call.user.email)


def end_sessions(session: Session, user: User) -> None:
    """End all sessions of a user at once."""
    session.execute(delete(BrowserSession).where(BrowserSession.user_seq == user.seq))


def set_cookie(request: Request, response: Response, ticket: Ticket) -> None:
    """Hand the ticket to the browser, for this coordinator alone; the script of a page cannot read it."""
    response.set_cookie(
        COOKIE, ticket.write(), path=_path(request), secure=_tls(request), httponly=True, samesite="lax"
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Have the browser forget its ticket."""
    response.delete_cookie(COOKIE, path=_path(request), secure=_tls(request), httponly=True, samesite="lax")


def to_login(request: Request) -> Response:
    """Send whoever has no session to the page where he gets one, and from there back to what he asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = asked if request.method == "GET" else local_path(request, "")
    if (provider := request.app.state.identity) is not None:
        return RedirectResponse(provider.log_in_url(back), 303)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/login?next={quote(back)}", 303)


def local_path(request: Request, asked: str) -> str:
    """Return where to go after the log in: a path of this coordinator, its first page where `asked` is none."""
    root = request.scope.get("root_path", "")
    # Browsers read a backslash as a slash, and drop control characters: //elsewhere has many spellings.
    inside = re.fullmatch(re.escape(root) + r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", asked)
    return asked if inside else f"{root}/"


def _path(request: Request) -> str:
    return request.scope.get("root_path") or "/"


def _tls(request: Request) -> bool:
    return request.url.scheme == "https"
