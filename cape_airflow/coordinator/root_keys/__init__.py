"""Key services: what keeps the key that wraps the root key, so that no file or variable holds the root key in clear.

A service is one module here, named as the scheme of its URIs is (`aws_kms` for ``aws-kms://...``), with a function
``open_service(address) -> KeyService``. It is asked once, when a coordinator starts: the root key that it unwraps is
then in the memory of the coordinator, and its wrapped form in the database.
"""

from __future__ import annotations

import pkgutil
import secrets
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.root_key import KEY_BYTES, RootKey, load_root_key
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.store.models import ServedRootKey
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import to_base64url

CONTEXT = {"application": "cape-airflow", "purpose": "root key"}
"""What services bind the wrapped root key to, and write into their own logs."""


class KeyService(Protocol):
    """Wraps and unwraps under a key that it never gives away."""

    def wrap(self, secret: Secret, context: Mapping[str, str]) -> bytes:
        """Return `secret` encrypted, bound to `context`.

        Raises:
            KeyUnavailable: the service refuses, or does not answer.
        """

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> Secret:
        """Return the secret that was wrapped with that context.

        Raises:
            KeyUnavailable: the service refuses, or does not answer.
        """


def find_root_key(settings: Settings, session: Session, *, fresh: bool, now: datetime) -> RootKey:
    """Return the root key that the settings name, from wherever they say.

    Args:
        fresh: nothing was wrapped so far, so that a missing one may be made.

    Raises:
        KeyUnavailable: missing, refused by its service, or not a key.
    """
    if settings.root_key_uri is None:
        return load_root_key(settings, fresh=fresh)
    if settings.root_key is not None or settings.root_key_file is not None:
        raise KeyUnavailable("CAPE_ROOT_KEY_URI stands in place of CAPE_ROOT_KEY and CAPE_ROOT_KEY_FILE; set only one")
    if fresh:
        return serve_new_root_key(settings.root_key_uri, session, now)
    served = session.scalar(select(ServedRootKey).order_by(ServedRootKey.seq.desc()).limit(1))
    if served is None:
        raise KeyUnavailable(
            "no key service keeps the root key of this database yet; start with the present root key, "
            f"and move it: cape coordinator rotate-root-key {settings.root_key_uri}"
        )
    return _root_key(_open(settings.root_key_uri).unwrap(served.wrapped, CONTEXT))


def serve_new_root_key(uri: str, session: Session, now: datetime) -> RootKey:
    """Return a new root key, its wrapped form stored in place of any earlier one.

    Raises:
        KeyUnavailable: no such service, or it refuses.
    """
    material = Secret(secrets.token_bytes(KEY_BYTES))
    wrapped = _open(uri).wrap(material, CONTEXT)
    withdraw_root_key(session)
    session.add(ServedRootKey(wrapped=wrapped, created_at=now))
    return _root_key(material)


def withdraw_root_key(session: Session) -> None:
    """Forget the root key that a key service keeps, if any."""
    session.execute(delete(ServedRootKey))


def is_uri(text: str) -> bool:
    """Return whether a text names a key service, and not a file."""
    return "://" in text


def _open(uri: str) -> KeyService:
    scheme, _, address = uri.partition("://")
    known = {module.name.replace("_", "-"): module.name for module in pkgutil.iter_modules(__path__)}
    if scheme not in known or not address:
        raise KeyUnavailable(f"CAPE_ROOT_KEY_URI names no key service; known: {', '.join(known)}://...")
    service: KeyService = import_module(f"{__name__}.{known[scheme]}").open_service(address)
    return service


def _root_key(material: Secret) -> RootKey:
    return RootKey(to_base64url(material.reveal()))
