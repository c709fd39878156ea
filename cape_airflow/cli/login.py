"""``cape login`` and ``cape logout``."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import click

from cape_airflow.cli.session import Session, config_file


@click.command()
@click.option(
    "--url", required=True, envvar="CAPE_URL", show_envvar=True, prompt="Coordinator", help="Where the coordinator is."
)
@click.option("--allow-http", is_flag=True, help="Take plain http to another machine.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, resolve_path=True), help="CAs to trust (PEM).")
def login(url: str, allow_http: bool, ca_file: str | None) -> None:
    """Remember a coordinator, an API token for it, and the keys that it signs approvals with.

    Later commands believe no approval that another key signed: log in again when the coordinator gets a new one.

    The token is asked for, or read from CAPE_TOKEN or from the standard input where that is no terminal; it is never an
    argument, because others on this machine can see those.
    """
    from cape_airflow.keys import Secret

    session = Session(url, Secret(_token().encode()), allow_http, ca_file)
    with session.connect() as client:
        me = client.me()
        keys = client.signing_keys()
    path = replace(session, signing_keys=tuple(key.public_key for key in keys)).save()
    click.echo(f"logged in to {url} as {me.email} ({me.role}); the token is in {path}")
    click.echo(f"approvals must be signed by key {', '.join(key.key_id for key in keys)}")


@click.command()
def logout() -> None:
    """Forget the coordinator and the token. The token stays valid: `cape tokens remove` ends it."""
    path = config_file()
    path.unlink(missing_ok=True)
    click.echo(f"{path} is gone")


def _token() -> str:
    if token := os.environ.get("CAPE_TOKEN"):
        return token
    if sys.stdin.isatty():
        return str(click.prompt("API token", hide_input=True)).strip()
    return sys.stdin.readline().strip()
