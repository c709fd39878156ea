"""Passwords: argon2id (RFC 9106, its second recommended setting: 64 MiB, three passes), and what is one.

A check costs the same whether there is a password or not: an account that does not exist answers as slowly as one that
does. Only a few are made at once, because each takes 64 MiB of memory.
"""

from __future__ import annotations

from threading import BoundedSemaphore

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.tickets import Ticket

SHORTEST = 12
LONGEST = 128
AT_ONCE = 2
"""Passwords that are looked at, or made, at the same moment."""

_HASHER = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
_AT_ONCE = BoundedSemaphore(AT_ONCE)
_NOBODYS = _HASHER.hash(Ticket.generate().write())


def encode(password: str) -> str:
    """Return what is stored in place of the password, with a salt of its own."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def matches(encoded: str | None, password: str) -> bool:
    """Return whether it is the password; for None no, after the same work."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(encoded or _NOBODYS, password) and encoded is not None
        except (VerifyMismatchError, InvalidHashError):
            return False


def check_new(password: str, email: str) -> None:
    """Refuse a password that is easily guessed (NIST SP 800-63B section 3.1.1: length, no rules of composition).

    Raises:
        Problem: 422 ``weak-password``.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Problem(
            422, "weak-password", f"a password has {SHORTEST} to {LONGEST} characters; several words are good"
        )
    if len(set(password)) < SHORTEST // 2 or email.partition("@")[0] in password.lower():
        raise Problem(422, "weak-password", "this password is easily guessed: it repeats itself, or holds your email")
