"""Invitations and recovery: a one-time link, shown to the admin who asks for it, and mailed where there is a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import BackgroundTasks, Request

from cape_airflow.coordinator.accounts import get_user
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.mail import send_mail
from cape_airflow.coordinator.one_time_links import LIFE, address_of_link, create_link
from cape_airflow.coordinator.settings import Settings

_TEXT = """\
Hello {name},

with this link you set your password for Cape, within 24 hours and once:

{url}

If you did not expect it, leave it alone, and tell whoever runs Cape.
"""


@dataclass(frozen=True)
class Invitation:
    """A link for a user, and whether it goes out by mail, too."""

    url: str
    expires_at: datetime
    mailed: bool


def invite(call: Call, email: str, base: str, later: BackgroundTasks) -> Invitation:
    """Make a link with which a user sets his password.

    Args:
        base: where the coordinator is, without a slash at the end.
        later: what is done after the answer, when the link is stored.

    Raises:
        Problem: 404 where there is no such user; 409 ``no-person``; 403 ``tampered``.
    """
    settings = call.coordinator.settings
    user = get_user(call, email)
    url = address_of_link(base, create_link(call, user))
    if settings.smtp_host is not None:
        text = _TEXT.format(name=user.name, url=url)
        later.add_task(send_mail, settings, user.email, "Your access to Cape", text)
    return Invitation(url, call.now + LIFE, mailed=settings.smtp_host is not None)


def base_of(request: Request, settings: Settings) -> str:
    """Return where the coordinator is, for people: what the settings say, else where this request went."""
    return (settings.public_url or str(request.base_url)).rstrip("/")
