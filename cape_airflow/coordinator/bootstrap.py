"""What is done on the coordinator's own machine: migrate, make the first admin, let an admin in again, poll."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from threading import Event as Signal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.api.shapes import Email, Line
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.people import find_user, new_token, new_user
from cape_airflow.coordinator.permissions import Role
from cape_airflow.coordinator.polling import Poller
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.startup import start
from cape_airflow.coordinator.store import WritingSession
from cape_airflow.coordinator.store.migrate import exclusive
from cape_airflow.coordinator.store.models import AuditRow, Token, User
from cape_airflow.errors import CoordinatorError

_LIFE = timedelta(days=90)


def initialise(settings: Settings, email: str, name: str) -> str:
    """Make the first admin of a deployment, on the machine of the coordinator.

    Returns:
        His API token; it expires after 90 days.

    Raises:
        CoordinatorError: there are users already; or the email or the name is none.
    """
    email, name = _checked(Email, "email", email), _checked(Line, "name", name)
    with _local(settings) as (coordinator, session):
        if session.scalar(select(func.count()).select_from(User)):
            raise CoordinatorError("there are users already; an admin makes new users and tokens")
        user = new_user(email, name, Role.ADMIN, coordinator.clock())
        coordinator.seals.put(user)
        session.add(user)
        _record(session, Event.CREATE_USER, "user", user, user)
        return _hand_out_token(coordinator, session, user, "first admin")


def recover(settings: Settings, email: str) -> str:
    """Make a token for an admin whose tokens have all expired, on the machine of the coordinator.

    Returns:
        The API token; it expires after 90 days.

    Raises:
        CoordinatorError: no admin has this email.
    """
    with _local(settings) as (coordinator, session):
        user = find_user(session, email.lower())
        if user is None or user.role is not Role.ADMIN or not coordinator.seals.intact(user):
            raise CoordinatorError("no admin has this email")
        return _hand_out_token(coordinator, session, user, "recovered on the coordinator's machine")


def migrate(settings: Settings) -> None:
    """Bring the database to this version's schema, making it where there is none."""
    start(settings, system_clock)


def poll(settings: Settings, stop: Signal) -> None:
    """Ask the other schedulers until told to stop, without serving.

    Raises:
        CoordinatorError: the settings name no schedulers.
        SchedulerError: the file that they name makes no sense.
    """
    coordinator = start(settings, system_clock)
    with closing(coordinator.store):
        poller = Poller.configured(coordinator)
        if poller is None:
            raise CoordinatorError("CAPE_SCHEDULERS names no file of schedulers")
        poller.run(stop)


@contextmanager
def _local(settings: Settings) -> Iterator[tuple[Coordinator, Session]]:
    """Yield a coordinator of this process, and the one session that writes to its database now."""
    coordinator = start(settings, system_clock)
    with closing(coordinator.store), exclusive(coordinator.store) as connection, WritingSession(connection) as session:
        yield coordinator, session
        session.commit()


def _hand_out_token(coordinator: Coordinator, session: Session, user: User, description: str) -> str:
    now = coordinator.clock()
    row, token = new_token(user, description, now + _LIFE, now)
    coordinator.seals.put(row)
    session.add(row)
    _record(session, Event.CREATE_TOKEN, "token", row, user)
    return token.write()


def _record(session: Session, event: Event, kind: str, made: User | Token, of: User) -> None:
    session.add(
        AuditRow(time=made.created_at, event=event.value, target_type=kind, target_id=made.id, target_label=of.email)
    )


def _checked(kind: Any, what: str, text: str) -> str:
    """Return the text as the API would take it."""
    try:
        return str(TypeAdapter(kind).validate_python(text))
    except ValidationError as error:
        raise CoordinatorError(f"the {what} is refused: {error.errors()[0]['msg']}") from None
