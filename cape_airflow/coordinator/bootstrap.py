"""What is done on the coordinator's own machine: migrate, make the first admin, let an admin in again, poll."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event as Signal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, select

from cape_airflow.coordinator.api.shapes import Email, Line
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.one_time_links import address_of_link, create_link
from cape_airflow.coordinator.people import create_user, find_user, store_token
from cape_airflow.coordinator.permissions import Role
from cape_airflow.coordinator.polling import Poller
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.startup import start
from cape_airflow.coordinator.store import WritingSession
from cape_airflow.coordinator.store.migrate import exclusive
from cape_airflow.coordinator.store.models import User
from cape_airflow.errors import CoordinatorError

_DAYS = 90


def initialise(settings: Settings, email: str, name: str) -> str:
    """Make the first admin of a deployment, on the machine of the coordinator.

    Returns:
        His API token; it expires after 90 days.

    Raises:
        CoordinatorError: there are users already; or the email or the name is none.
    """
    email, name = _checked(Email, "email", email), _checked(Line, "name", name)
    with _local(settings) as call:
        if call.session.scalar(select(func.count()).select_from(User)):
            raise CoordinatorError("there are users already; an admin makes new users and tokens")
        user = create_user(call, email, name, Role.ADMIN)
        return _hand_out_token(call, user, "first admin")


def recover(settings: Settings, email: str) -> str:
    """Make a token for an admin whose tokens have all expired, on the machine of the coordinator.

    Returns:
        The API token; it expires after 90 days.

    Raises:
        CoordinatorError: no admin has this email.
    """
    with _local(settings) as call:
        return _hand_out_token(call, _admin(call, email), "recovered on the coordinator's machine")


def link(settings: Settings, email: str) -> str:
    """Make a one-time link with which an admin sets his password, on the machine of the coordinator.

    Returns:
        The link; where the settings do not say where the coordinator is, it begins with the path.

    Raises:
        CoordinatorError: no admin has this email.
    """
    with _local(settings) as call:
        return address_of_link((settings.public_url or "").rstrip("/"), create_link(call, _admin(call, email)))


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
def _local(settings: Settings) -> Iterator[Call]:
    """Yield a call of nobody in particular, in the one transaction that writes to the database now."""
    coordinator = start(settings, system_clock)
    with closing(coordinator.store), exclusive(coordinator.store) as connection, WritingSession(connection) as session:
        yield Call(coordinator, session, None, None, coordinator.clock(), None, None)
        session.commit()


def _admin(call: Call, email: str) -> User:
    user = find_user(call.session, email.lower())
    if user is None or user.role is not Role.ADMIN or user.deactivated_at or not call.seals.intact(user):
        raise CoordinatorError("no admin has this email")
    return user


def _hand_out_token(call: Call, user: User, description: str) -> str:
    _, token = store_token(call, user, description, _DAYS)
    return token.write()


def _checked(kind: Any, what: str, text: str) -> str:
    """Return the text as the API would take it."""
    try:
        return str(TypeAdapter(kind).validate_python(text))
    except ValidationError as error:
        raise CoordinatorError(f"the {what} is refused: {error.errors()[0]['msg']}") from None
