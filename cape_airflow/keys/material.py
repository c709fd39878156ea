"""Key material: objects that cannot be printed, pickled or compared by accident.

A policy names a key (``key: {ref: customer-id}``); a KeyProvider turns the name into a Key with its versions.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cape_airflow.errors import KeyUnavailable, did_you_mean


class Secret:
    """Bytes that show themselves only to ``reveal()``: grep for it to find every use of clear key material."""

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        self._material = bytes(material)

    def reveal(self) -> bytes:
        """Return the clear bytes."""
        return self._material

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._material, other._material)

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied; pass the name of the key instead")


@dataclass(frozen=True)
class Key:
    """A named key with its versions.

    Args:
        name: as in ``{ref: NAME}``.
        versions: version number (1 and up) to material; destroyed versions are absent, and retired ones may be.
        primary: the version that new tokens are made with.
        retired: versions that reveal what they have made, and make nothing new.
        destroyed: versions whose material is gone for ever.
        may_reveal: whether whoever holds the key may turn tokens back; it is kept by our techniques, not by the
            mathematics: who has the material of a version can decrypt what it has encrypted.

    Raises:
        KeyUnavailable: the primary version has no material, or is retired.
    """

    name: str
    versions: Mapping[int, Secret] = field(repr=False)
    primary: int = 1
    retired: frozenset[int] = frozenset()
    destroyed: frozenset[int] = frozenset()
    may_reveal: bool = True

    def __post_init__(self) -> None:
        self.version(self.primary)
        self.require_enabled(self.primary)

    def version(self, number: int) -> Secret:
        """Return the material of one version.

        Raises:
            KeyUnavailable: there is no such version, or it was destroyed.
        """
        if number in self.versions:
            return self.versions[number]
        if number in self.destroyed:
            raise KeyUnavailable(
                f"version {number} of key `{self.name}` was destroyed; nothing can be made with it, or revealed, again"
            )
        self.require_enabled(number)
        raise KeyUnavailable(
            f"key `{self.name}` has no version {number}: it was destroyed, or the token is of another key"
        )

    def require_enabled(self, number: int) -> None:
        """Check that a version may make new tokens.

        Raises:
            KeyUnavailable: it is retired.
        """
        if number in self.retired:
            raise KeyUnavailable(
                f"version {number} of key `{self.name}` is retired: it makes nothing new; name version {self.primary}"
            )

    def require_reveal(self) -> None:
        """Check that tokens of this key may be turned back.

        Raises:
            KeyUnavailable: they may not, by whoever asks.
        """
        if not self.may_reveal:
            raise KeyUnavailable(
                f"key `{self.name}` may be applied here, and not be used to reveal: that takes CapeRevealOperator, and "
                "an owner of the project who lets this worker: cape keys grant-reveal PROJECT EMAIL"
            )


class KeyProvider(Protocol):
    """Anything that turns names into keys."""

    def get(self, name: str) -> Key | None:
        """Return the key, or None where this provider does not know the name.

        Raises:
            KeyUnavailable: the name is known, but the key cannot be had now.
        """

    def names(self) -> tuple[str, ...]:
        """Return the names that this provider knows, for suggestions; never material."""


class KeyRing:
    """The keys that one run may use: asks its providers in order and remembers the answer."""

    def __init__(self, *providers: KeyProvider) -> None:
        self._providers = providers
        self._keys: dict[str, Key] = {}

    def get(self, name: str) -> Key:
        """Return the key of that name.

        Raises:
            KeyUnavailable: no provider knows it; names the nearest known one.
        """
        if name not in self._keys:
            self._keys[name] = self._find(name)
        return self._keys[name]

    def _find(self, name: str) -> Key:
        for provider in self._providers:
            key = provider.get(name)
            if key is not None:
                return key
        known = [known for provider in self._providers for known in provider.names()]
        hint = did_you_mean(name, known) or "."
        raise KeyUnavailable(f"no key `{name}`{hint} Create it in the project, or give a key file.")

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys used)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyRing cannot be pickled; build it where the work is done")


def derive(secret: Secret, *, purpose: str, domain: str, length: int) -> Secret:
    """Derive a subkey for one purpose in one pseudonymisation domain (HKDF-SHA-256, RFC 5869).

    Args:
        secret: at least 16 bytes of key material.
        purpose: the technique and the key name, e.g. ``keyed-hash/customer-id``.
        domain: the policy's ``domain``; tokens join inside it and never across.
        length: bytes wanted, 1 to 8160.
    """
    info = b"\x00".join(part.encode() for part in ("cape-airflow/1", purpose, domain))
    return Secret(HKDF(SHA256(), length, salt=None, info=info).derive(secret.reveal()))
