"""Requests that a browser was tricked into: refused by where they come from, and by a token that only pages know.

Whoever comes with a cookie shows the token of his session in every request that changes something (OWASP's synchroniser
token, made by HMAC-SHA-256 from the session, so that nothing is stored). An API token needs none of this: no browser
sends one by itself.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from fastapi import Request

from cape_airflow.coordinator.forms import Fields
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.root_key import RootKey
from cape_airflow.keys.encoding import to_base64url

FIELD = "csrf_token"
_HEADER = "x-csrf-token"
_SAFE = ("GET", "HEAD")


def csrf_token(root_key: RootKey, session_id: str) -> str:
    """Return the token that goes into the forms of a session's pages."""
    return to_base64url(hmac.digest(root_key.derive("csrf").reveal(), session_id.encode(), "sha256"))


def check_csrf(request: Request, form: Fields, expected: str) -> None:
    """Refuse a request with a cookie that does not come from a page of its session.

    Args:
        form: the fields of the body, where it is a form.
        expected: the token of the session.

    Raises:
        Problem: 403 ``csrf``.
    """
    if request.method in _SAFE:
        return
    check_origin(request)
    shown = form.get(FIELD, [request.headers.get(_HEADER, "")])[0]
    if not hmac.compare_digest(shown.encode(), expected.encode()):
        raise Problem(403, "csrf", "this page is older than your session; load it again and repeat what you did")


def check_origin(request: Request) -> None:
    """Refuse a request that changes something and that a page of another site made a browser send.

    Browsers fill ``Sec-Fetch-Site`` (W3C Fetch Metadata), those that do not, ``Origin`` (RFC 6454); who sends neither
    is no browser.

    Raises:
        Problem: 403 ``csrf``.
    """
    if request.method in _SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        same = site in ("same-origin", "none")
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not same:
        raise Problem(403, "csrf", "this request comes from a page of another site")
