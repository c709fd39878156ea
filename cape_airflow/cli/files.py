"""What commands read from files."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from cape_airflow.errors import PolicyError

if TYPE_CHECKING:
    from cape_airflow.policy import Policy

POLICY_FILE = click.File("rb")
"""A policy file as an argument; ``-`` is the standard input."""


def read_text(file: IO[bytes]) -> str:
    """Return the text of a file.

    Raises:
        PolicyError: it is not UTF-8.
    """
    try:
        return file.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file.name} is not UTF-8 text, from byte {error.start} on") from None


def read_policy(file: IO[bytes]) -> Policy:
    """Return the policy of a file.

    Raises:
        PolicyError: it is wrong; says where.
    """
    from cape_airflow.policy import load_policy

    return load_policy(read_text(file), file=file.name)
