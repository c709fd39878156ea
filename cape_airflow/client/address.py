"""Where a coordinator is: an address is checked once, before a token is ever sent to it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from cape_airflow.errors import CoordinatorError


@dataclass(frozen=True)
class Address:
    """A checked base URL.

    Args:
        url: without a trailing slash; may hold a path, e.g. ``https://airflow.example/cape``.
        loopback: the host is this machine.
    """

    url: str
    loopback: bool


def parse_address(url: str, *, allow_http: bool = False) -> Address:
    """Check the base URL of a coordinator.

    Args:
        url: ``https://host[:port][/path]``; plain ``http`` only to this machine.
        allow_http: also take plain ``http`` to another machine, where the network in between is trusted.

    Raises:
        CoordinatorError: the URL cannot be used; says why, and shows nothing of credentials in it.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise CoordinatorError("the coordinator's address is not a URL; write https://host[:port]") from None
    if parts.scheme not in ("http", "https") or not host:
        raise CoordinatorError("the coordinator's address must be a URL such as https://host[:port]")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise CoordinatorError("the coordinator's address must hold no user, password, query or fragment")
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not (loopback or allow_http):
        raise CoordinatorError(
            f"plain http to {host} would show the API token to the network; use https, or allow http explicitly"
        )
    return Address(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", loopback)


def path_of(*segments: str) -> str:
    """Return ``/v1/...`` with every segment quoted.

    Raises:
        CoordinatorError: a segment is empty or made of dots, which would lead to another route.
    """
    for segment in segments:
        if not segment.strip("."):
            raise CoordinatorError("an empty name, or one made of dots, cannot be asked for")
    return "/".join(["/v1", *(quote(segment, safe="") for segment in segments)])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
