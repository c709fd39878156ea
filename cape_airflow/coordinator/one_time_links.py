"""One-time links: invitations of new people, and the way back in for those who have lost their password.

The secret is in the fragment of the address (after ``#``), which browsers keep to themselves: no log and no proxy sees
it. To open a link changes nothing, so that whatever looks at the links in a mail does not use them up.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call, Coordinator
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.passwords import check_new
from cape_airflow.coordinator.people import may_log_in
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.sessions import end_sessions
from cape_airflow.coordinator.store.models import OneTimeLink, Password, User
from cape_airflow.coordinator.tickets import Ticket

LIFE = timedelta(hours=24)


def create_link(call: Call, user: User) -> Ticket:
    """Make the link with which a user sets his password. Those that he had before are worth nothing any more.

    Raises:
        Problem: 409 ``no-person`` for a service account or somebody who is deactivated.
    """
    if not may_log_in(user):
        raise Problem(409, "no-person", "only an active person logs in; a service account has API tokens")
    ticket = Ticket.generate()
    forget_links(call.session, user)
    row = OneTimeLink(
        id=new_id(call.now),
        user=user,
        secret_digest=ticket.digest(),
        created_at=call.now,
        expires_at=call.now + LIFE,
    )
    call.seals.put(row)
    call.session.add(row)
    call.record(Event.CREATE_LINK, "user", user.id, user.email)
    return ticket


def address_of_link(base: str, ticket: Ticket) -> str:
    """Return what the holder opens in his browser.

    Args:
        base: where the coordinator is, without a slash at the end.
    """
    return f"{base}/set-password#{ticket.write()}"


def user_of_link(coordinator: Coordinator, session: Session, code: str) -> User | None:
    """Return whose password the holder of the code may set; None where the code is unknown, used up or too old."""
    ticket = Ticket.parse(code)
    if ticket is None:
        return None
    row = session.scalar(select(OneTimeLink).where(OneTimeLink.secret_digest == ticket.digest()).with_for_update())
    if row is None or row.expires_at <= coordinator.clock():
        return None
    coordinator.seals.check(row, row.user)
    return row.user if may_log_in(row.user) else None


def set_password(call: Call, user: User, password: str, encoded: str) -> None:
    """Give a user a password. His sessions end, and links for it are worth nothing any more.

    Args:
        encoded: the password as `passwords.encode` returns it.

    Raises:
        Problem: 422 ``weak-password``.
    """
    check_new(password, user.email)
    row = call.session.scalar(select(Password).where(Password.user_seq == user.seq)) or Password(user=user)
    row.encoded, row.changed_at = encoded, call.now
    call.seals.put(row)
    call.session.add(row)
    forget_links(call.session, user)
    end_sessions(call.session, user)
    call.record(Event.SET_PASSWORD, "user", user.id, user.email)


def forget_links(session: Session, user: User) -> None:
    """Make all links of a user worth nothing."""
    session.execute(delete(OneTimeLink).where(OneTimeLink.user_seq == user.seq))
