"""Where transformations get key material from."""

from __future__ import annotations

from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Key, derive
from cape_airflow.transformations.base import Binding

SHORTEST = 32
"""Bytes that a key must have, so that it cannot be guessed."""


def subkey(binding: Binding, key: Key, version: int, *, technique: str, length: int) -> bytes:
    """Return the key of one technique in the domain of the policy, derived from one version of a named key.

    Raises:
        KeyUnavailable: no such version, or its material is shorter than 32 bytes.
    """
    secret = key.version(version)
    if len(secret.reveal()) < SHORTEST:
        raise KeyUnavailable(f"key `{key.name}`, version {version}, has less than {SHORTEST} bytes; generate one")
    return derive(secret, purpose=f"{technique}/{key.name}", domain=binding.domain, length=length).reveal()


def shared_pairs(bits: int) -> str:
    """Return how many pairs of 1,000,000 different values are expected to share a token of so many bits."""
    return f"{10**12 / 2 / 2**bits:.2g}"
