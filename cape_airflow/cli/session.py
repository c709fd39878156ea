"""Which coordinator a command talks to, and as whom: what `cape login` wrote, or CAPE_URL and CAPE_TOKEN."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cape_airflow.errors import CoordinatorError

if TYPE_CHECKING:
    from cape_airflow.client import CoordinatorClient
    from cape_airflow.keys import Secret

_NOT_LOGGED_IN = "not logged in; run: cape login --url https://HOST (or set CAPE_URL and CAPE_TOKEN)"


@dataclass(frozen=True)
class Session:
    """A coordinator and a token for it.

    Args:
        allow_http: plain http to another machine was allowed at login.
        ca_file: PEM file of certificate authorities to trust; None for those of `certifi`.
        signing_keys: public keys that approvals must be signed with, remembered at login; None for those that the
            coordinator names.
    """

    url: str
    token: Secret = field(repr=False)
    allow_http: bool = False
    ca_file: str | None = None
    signing_keys: tuple[str, ...] | None = None

    @contextmanager
    def connect(self) -> Iterator[CoordinatorClient]:
        """Open a client for it."""
        from cape_airflow.client import CoordinatorClient

        with CoordinatorClient(
            self.url,
            self.token,
            deadline=_deadline(),
            allow_http=self.allow_http,
            verify=self.ca_file or True,
            signing_keys=self.signing_keys,
        ) as client:
            yield client

    def save(self) -> Path:
        """Write it to the configuration file, which only its owner may read; return the file."""
        import yaml

        from cape_airflow.keys.private_file import write_private

        content = {"url": self.url, "token": self.token.reveal().decode(), "allow_http": self.allow_http}
        content |= {"ca_file": self.ca_file} if self.ca_file else {}
        content |= {"signing_keys": list(self.signing_keys)} if self.signing_keys is not None else {}
        write_private(config_file(), yaml.safe_dump(content, sort_keys=False).encode())
        return config_file()


def config_file() -> Path:
    """Return ``~/.cape/config.yaml``; ``$CAPE_HOME`` names another folder."""
    home = os.environ.get("CAPE_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".cape") / "config.yaml"


def current() -> Session | None:
    """Return the session, or None where nobody is logged in.

    A token from the file is only ever used with the URL beside it.

    Raises:
        CapeError: the configuration file cannot be read, others may read it, or it is of another form.
    """
    from cape_airflow.keys import Secret

    saved = _saved()
    url, token = os.environ.get("CAPE_URL"), os.environ.get("CAPE_TOKEN")
    if saved and (not url or url.rstrip("/") == saved.url.rstrip("/")):
        return replace(saved, token=Secret(token.encode())) if token else saved
    if url and token:
        return Session(url, Secret(token.encode()))
    if url:
        raise CoordinatorError(
            "CAPE_URL names another coordinator than the one you are logged in to; set CAPE_TOKEN too"
        )
    return None


@contextmanager
def connected() -> Iterator[CoordinatorClient]:
    """Open a client for the session.

    Raises:
        CoordinatorError: nobody is logged in.
    """
    session = current()
    if session is None:
        raise CoordinatorError(_NOT_LOGGED_IN)
    with session.connect() as client:
        yield client


def _deadline() -> float:
    """Return the seconds that a call may take: ``$CAPE_DEADLINE``, or 20."""
    try:
        return float(os.environ.get("CAPE_DEADLINE", "20"))
    except ValueError:
        raise CoordinatorError("CAPE_DEADLINE must be a number of seconds") from None


def _saved() -> Session | None:
    import yaml

    from cape_airflow.keys import Secret
    from cape_airflow.keys.private_file import read_private

    path = config_file()
    if not path.exists():
        return None
    try:
        content = yaml.safe_load(read_private(path))
        token = Secret(content["token"].encode())
        pinned = content.get("signing_keys")
        return Session(
            content["url"],
            token,
            content.get("allow_http", False),
            content.get("ca_file"),
            None if pinned is None else tuple(pinned),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise CoordinatorError(f"{path} is not a configuration of this version; run: cape login") from None
