"""Set one's own password: with a one-time link, or with the present one."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from cape_airflow.coordinator import passwords
from cape_airflow.coordinator.access import address_of
from cape_airflow.coordinator.call import Call, Caller, Coordinator
from cape_airflow.coordinator.guard import transaction, visitor
from cape_airflow.coordinator.log_in import begin_session, guess, refuse_guesses
from cape_airflow.coordinator.one_time_links import set_password, user_of_link
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.sessions import open_session
from cape_airflow.coordinator.store.models import Password
from cape_airflow.coordinator.tickets import Ticket


async def set_by_link(request: Request, code: str, password: str) -> Ticket:
    """Set the password of whom the one-time link is for, use the link up, and return the ticket of a new session.

    Raises:
        Problem: 403 ``link-over`` where the link is unknown, used up or too old; 422 ``weak-password``; 429 after too
            many failures from one address; 503 where too many wait.
    """
    async with guess(request, address_of(request)):
        encoded = await run_in_threadpool(passwords.encode, password)
        async with transaction(request, writes=True) as session:
            return await run_in_threadpool(_take, request, session, code, password, encoded)


def change(call: Call, current: str, password: str) -> Ticket:
    """Change the caller's password, end all his sessions, and return the ticket of a new one.

    Raises:
        Problem: 403 ``wrong-password``; 422 ``weak-password``; 429 after too many failures with this account.
    """
    account = f"account {call.user.email}"
    refuse_guesses(call.coordinator, account)
    stored = call.session.scalar(select(Password).where(Password.user_seq == call.user.seq))
    call.seals.check(*([stored] if stored else []))
    if not passwords.matches(stored.encoded if stored else None, current):
        call.coordinator.throttle.fail(account, call.now)
        raise Problem(403, "wrong-password", "this is not your present password; an admin makes you a one-time link")
    set_password(call, call.user, password, passwords.encode(password))
    return open_session(call, call.user)


def _take(request: Request, session: Session, code: str, password: str, encoded: str) -> Ticket:
    coordinator: Coordinator = request.app.state.coordinator
    user = user_of_link(coordinator, session, code)
    if user is None:
        coordinator.throttle.fail(address_of(request), coordinator.clock())
        raise Problem(403, "link-over", "this link was used, is too old, or is none; ask an admin for a new one")
    set_password(visitor(request, session, Caller(user)), user, password, encoded)
    ticket = begin_session(request, session, user)
    session.commit()
    return ticket
