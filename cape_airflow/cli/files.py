"""What commands read from files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cape_airflow.errors import PolicyError

if TYPE_CHECKING:
    from cape_airflow.policy import Policy

POLICY_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)
"""A policy file as an argument; ``-`` is the standard input."""


def read_text(file: str) -> str:
    """Return the text of a file.

    Raises:
        PolicyError: it is not UTF-8.
    """
    with click.open_file(file, "rb") as opened:
        content: bytes = opened.read()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file} is not UTF-8 text, from byte {error.start} on") from None


def read_policy(file: str) -> Policy:
    """Return the policy of a file.

    Raises:
        PolicyError: it is wrong; says where.
    """
    from cape_airflow.policy import load_policy

    return load_policy(read_text(file), file=file)
