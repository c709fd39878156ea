"""Log in with a password: throttled by address and account, and telling nobody which accounts there are.

The password is checked outside of any transaction, since that is slow on purpose. What is decided then holds only
where nothing has changed since: the user is looked up again in the transaction that opens his session.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from cape_airflow.coordinator import passwords
from cape_airflow.coordinator.access import address_of
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call, Caller, Coordinator
from cape_airflow.coordinator.guard import transaction, visitor
from cape_airflow.coordinator.people import find_user, may_log_in
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.sessions import open_session, presented_session
from cape_airflow.coordinator.store.models import BrowserSession, Password, User
from cape_airflow.coordinator.tickets import Ticket


@dataclass(frozen=True)
class _Account:
    """Who an email belongs to, and what his password is checked against; None where there is none."""

    user: User | None
    encoded: str | None


async def by_password(request: Request, email: str, password: str) -> Ticket | None:
    """Return the ticket of a new session; None where email and password are not those of an active person.

    Raises:
        Problem: 429 after too many failures from one address or with one account; 503 where too many wait; 403
            ``tampered``.
    """
    coordinator: Coordinator = request.app.state.coordinator
    names = (address_of(request), f"account {email}")
    async with guess(request, *names):
        async with transaction(request, writes=False) as session:
            account = await run_in_threadpool(_account, coordinator, session, email)
        right = await run_in_threadpool(passwords.matches, account.encoded, password)
        async with transaction(request, writes=True) as session:
            ticket = await run_in_threadpool(_conclude, request, session, account, right)
        if ticket is None:
            for name in names:
                coordinator.throttle.fail(name, coordinator.clock())
        return ticket


@asynccontextmanager
async def guess(request: Request, *names: str) -> AsyncIterator[None]:
    """Wait for a turn to look at what may be guessed, unless there were too many failures under one of these names.

    They are asked for before the wait, and after it: whoever sends many guesses at once learns no more than whoever
    sends them one after the other.

    Raises:
        Problem: 429; 503 where too many wait.
    """
    coordinator: Coordinator = request.app.state.coordinator
    refuse_guesses(coordinator, *names)
    async with request.app.state.gate.guess():
        refuse_guesses(coordinator, *names)
        yield


def refuse_guesses(coordinator: Coordinator, *names: str) -> None:
    """Refuse to look at what may be guessed, after too many failures under one of these names.

    Raises:
        Problem: 429.
    """
    seconds = max(coordinator.throttle.waiting(name, coordinator.clock()) for name in names)
    if seconds:
        message = f"too many failed attempts; try again in {seconds} s"
        raise Problem(429, "too-many-failures", message, {"Retry-After": str(seconds)})


def begin_session(request: Request, session: Session, user: User) -> Ticket:
    """Open a session for a user who has proved who he is, end the one that his browser had, and record it."""
    if (old := presented_session(request)) is not None:
        session.execute(delete(BrowserSession).where(BrowserSession.secret_digest == old.digest()))
    call = visitor(request, session, Caller(user))
    call.record(Event.LOG_IN, "user", user.id, user.email)
    return open_session(call, user)


def _account(coordinator: Coordinator, session: Session, email: str) -> _Account:
    user = find_user(session, email)
    stored = session.scalar(select(Password).where(Password.user_seq == user.seq)) if user else None
    coordinator.seals.check(*([user] if user else []), *([stored] if stored else []))
    return _Account(user, stored.encoded if stored else None)


def _conclude(request: Request, session: Session, account: _Account, right: bool) -> Ticket | None:
    call = visitor(request, session)
    now = _account(call.coordinator, session, account.user.email) if account.user else account
    ticket = None
    if now.user is not None and right and now.encoded == account.encoded and may_log_in(now.user):
        ticket = begin_session(request, session, now.user)
    else:
        _record_refusal(call, account.user)
    session.commit()
    return ticket


def _record_refusal(call: Call, user: User | None) -> None:
    # What was typed is not written down: people type passwords into the wrong field.
    call.record(Event.REFUSE_LOG_IN, "user", user.id if user else "unknown", user.email if user else None)
