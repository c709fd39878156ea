"""Keys from environment variables, for work without a coordinator."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NoReturn

from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys.material import Key, Secret
from cape_airflow.keys.written import SHORTEST, material

_PREFIX = "CAPE_KEY_"


def variable(name: str) -> str:
    """Return the environment variable of a key: ``customer-id`` is in ``CAPE_KEY_CUSTOMER_ID``."""
    return _PREFIX + re.sub(r"[-.]", "_", name).upper()


class EnvironmentKeys:
    """The keys in the environment of this process.

    A variable holds base64url of at least 16 bytes, which is version 1; or several versions, the primary one first:
    ``2:<base64url>;1:<base64url>``.

    Args:
        environment: None for that of this process, as it is at each call.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    def get(self, name: str) -> Key | None:
        """Return the key, or None where its variable is not set.

        Raises:
            KeyUnavailable: the variable cannot be read as a key; says why, and not what it holds.
        """
        text = self._environment.get(variable(name))
        if text is None:
            return None
        try:
            versions = _versions(text)
        except ValueError as error:
            raise KeyUnavailable(
                f"key `{name}`: environment variable {variable(name)} is {error}; "
                f"it must hold base64url of at least {SHORTEST} bytes, or versions such as `2:...;1:...`"
            ) from None
        return Key(name, versions, next(iter(versions)))

    def names(self) -> tuple[str, ...]:
        """Return the names of the keys that are set, as they are usually written (lower case, with dashes)."""
        return tuple(
            name.removeprefix(_PREFIX).lower().replace("_", "-")
            for name in self._environment
            if name.startswith(_PREFIX)
        )

    def __repr__(self) -> str:
        return f"EnvironmentKeys({', '.join(self.names())})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("EnvironmentKeys cannot be pickled or copied; every process reads its own environment")


def _versions(text: str) -> dict[int, Secret]:
    parts = [_version(part.strip()) for part in text.split(";")]
    versions = dict(parts)
    if len(versions) < len(parts):
        raise ValueError("holding one version twice")
    return versions


def _version(part: str) -> tuple[int, Secret]:
    number, colon, text = part.rpartition(":")
    if colon and not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise ValueError("not numbered from 1 up")
    return int(number or 1), material(text)
