"""Approvals are signed: Ed25519 (RFC 8032) over the RFC 8785 canonical JSON of the approval document.

Whoever edits the database cannot make a worker run a policy that nobody approved: workers check the digest of the text
and the signature of the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.root_key import RootKey
from cape_airflow.coordinator.store.models import SigningKey
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import to_base64url

_REMEMBERED = 1024  # signatures that hold; to look at one takes a tenth of what an answer takes


class Signer:
    """Signs with the newest key; shows the public part of all.

    Every key is unwrapped, and its public part made again: a key that was put into the database by hand is none of
    ours, and what it signs must not pass for an approval.

    Raises:
        KeyUnavailable: a key is not of this root key, or its public part or name is not that of its private part.
    """

    def __init__(self, keys: Sequence[SigningKey], root_key: RootKey) -> None:
        private_keys = {key.key_id: _verified(key, root_key) for key in keys}
        self._public = {key_id: private.public_key() for key_id, private in private_keys.items()}
        self.public_keys = {key_id: to_base64url(key.public_bytes_raw()) for key_id, key in self._public.items()}
        self._verified = lru_cache(_REMEMBERED)(self._verify)
        self.key_id, self._private = list(private_keys.items())[-1]

    def sign(self, document: dict[str, Any]) -> bytes:
        """Return the signature of a JSON document: 64 bytes."""
        return self._private.sign(rfc8785.dumps(document))

    def made(self, document: dict[str, Any], signature: bytes) -> bool:
        """Return whether one of the keys has signed the document."""
        try:
            return self._verified(str(document.get("key_id")), rfc8785.dumps(document), signature)
        except rfc8785.CanonicalizationError:
            return False

    def _verify(self, key_id: str, text: bytes, signature: bytes) -> bool:
        try:
            self._public[key_id].verify(signature, text)
        except (KeyError, InvalidSignature):
            return False
        return True


def signing_keys(session: Session) -> Sequence[SigningKey]:
    """Return all keys, the newest last."""
    return session.scalars(select(SigningKey).order_by(SigningKey.seq)).all()


def generate_signing_key(root_key: RootKey, now: datetime) -> SigningKey:
    """Return a new key from the system's randomness, its private part wrapped."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = _key_id(public)
    wrapped = root_key.wrap(Secret(private.private_bytes_raw()), *place(key_id))
    return SigningKey(key_id=key_id, public_key=public, wrapped=wrapped, created_at=now)


def place(key_id: str) -> tuple[str, ...]:
    """Return where the private part of a key is stored; it unwraps nowhere else."""
    return "signing key", key_id


def _verified(key: SigningKey, root_key: RootKey) -> Ed25519PrivateKey:
    private = Ed25519PrivateKey.from_private_bytes(root_key.unwrap(key.wrapped, *place(key.key_id)).reveal())
    public = private.public_key().public_bytes_raw()
    if (public, _key_id(public)) != (key.public_key, key.key_id):
        raise KeyUnavailable("a stored signing key does not fit its private part: the database was edited")
    return private


def _key_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]
