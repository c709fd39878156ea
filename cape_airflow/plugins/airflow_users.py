"""Who sends a request to the embedded coordinator: the user whose session Airflow's auth manager knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from jwt.exceptions import InvalidTokenError
from pydantic import TypeAdapter, ValidationError

from cape_airflow.coordinator.api.shapes import Email, Line
from cape_airflow.coordinator.identities import Identity, RoleMapping
from cape_airflow.coordinator.problems import Problem

if TYPE_CHECKING:
    from fastapi import Request

_COOKIE = "_token"
ISSUER = "airflow"
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(Line)


class AirflowUsers:
    """Airflow's users are the coordinator's; the session is Airflow's, and ends with it.

    A token of Airflow in the header is worth nothing here: programs have API tokens of the coordinator. So nobody is
    known where Airflow lets everybody in without a log in (``simple_auth_manager_all_admins``).

    Args:
        admins, auditors: roles of Airflow whose people are admins and auditors of the coordinator.
    """

    def __init__(self, admins: Collection[str], auditors: Collection[str]) -> None:
        self._mapping = RoleMapping(frozenset(admins), frozenset(auditors))

    async def identify(self, request: Request) -> Identity | None:
        """Return whom Airflow's cookie names, or None where there is none, or it is not good any more.

        Raises:
            Problem: 403 where Airflow knows no name that could be an email.
        """
        cookie = request.cookies.get(_COOKIE)
        if not cookie:
            return None
        try:
            user = await get_auth_manager().get_user_from_token(cookie)
        except InvalidTokenError:
            return None
        name = user.get_name()
        return Identity(ISSUER, str(user.get_id()), _email(user, name), _line(name), _roles(user), self._mapping)

    def log_in_url(self, back: str) -> str:
        """Return Airflow's page to log in, which leads back."""
        url = get_auth_manager().get_url_login()
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'next': back})}"


def _email(user: Any, name: str) -> str:
    """Return the user's email; where Airflow knows none, his name at the domain ``airflow``, which has no mail."""
    for candidate in (getattr(user, "email", None), f"{name}@airflow"):
        try:
            return _EMAIL.validate_python(candidate)
        except ValidationError:
            continue
    raise Problem(403, "no-email", "Airflow knows no email of yours, and your name there cannot stand in one")


def _line(name: str) -> str:
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise Problem(
            403, "no-name", "your name in Airflow is empty, too long, or holds invisible characters"
        ) from None


def _roles(user: Any) -> frozenset[str]:
    """Return the user's roles: one of the simple auth manager, or those of Flask AppBuilder."""
    roles = [getattr(user, "role", None), *(getattr(user, "roles", None) or ())]
    return frozenset(str(getattr(role, "name", role)) for role in roles if role)
