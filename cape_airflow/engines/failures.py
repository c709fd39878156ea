"""Failures of steps, told without the words of the libraries below: these may quote values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cape_airflow.errors import CapeError, DataError, KeyUnavailable

T = TypeVar("T")


def attempt(action: Callable[[], T], rule: str, place: str) -> T:
    """Do what may fail with values in its message; errors say where, and nothing of what others said.

    Args:
        action: what to do.
        rule: where in the policy, or in the work, it stands, e.g. ``rules[2]``.
        place: what it is about, e.g. ``column `name```.

    Raises:
        CapeError: `action` raised one: again, with rule and place in front.
        DataError: it failed in another way; that error is neither cause nor context.
    """
    try:
        return action()
    except (DataError, KeyUnavailable) as error:
        told = str(error).removeprefix(f"{place}: ")
        failure: CapeError = type(error)(f"{rule}: {place}: {told}")
    except Exception as error:  # noqa: BLE001 - whatever the libraries below raise may quote values
        kind = type(error).__name__
        failure = DataError(f"{rule}: {place} failed ({kind}); the message is not shown, since it may hold values")
    # Outside of the handler: raised inside, the error would carry the first one as its context.
    raise failure
