"""``cape keys``: a project's keys, and key files. Material is never printed."""

from __future__ import annotations

from pathlib import Path

import click

from cape_airflow.cli.output import json_option, print_items
from cape_airflow.cli.session import connected

_SIZES = click.Choice(["32", "64"])


@click.group()
def keys() -> None:
    """The keys that policies name: of a project, or in a file."""


@keys.command()
@click.argument("project")
@click.argument("name")
@click.option("--bytes", "size", type=_SIZES, help="Deterministic encryption takes 64.", default="32")
def create(project: str, name: str, size: str) -> None:
    """Have the coordinator generate key NAME for PROJECT."""
    with connected() as client:
        key = client.create_key(project, name, int(size))
    click.echo(f"key {key.name} of {project}, version {key.primary}; in a policy: key: {{ref: {key.name}}}")


@keys.command("list")
@click.argument("project")
@json_option
def list_(project: str, as_json: bool) -> None:
    """List the keys of PROJECT."""
    with connected() as client:
        print_items(client.keys(project), ("name", "primary"), as_json=as_json)


@keys.command()
@click.argument("project")
@click.argument("name")
def rotate(project: str, name: str) -> None:
    """Add a version to a key of PROJECT; new tokens are made with it."""
    with connected() as client:
        key = client.rotate_key(project, name)
    click.echo(f"key {key.name} of {project} is at version {key.primary}")


@keys.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("name")
@click.option("--bytes", "size", type=_SIZES, help="Deterministic encryption takes 64.", default="32")
@click.option("--rotate", "rotates", is_flag=True, help="Add a version to a key that is there.")
def new(file: Path, name: str, size: str, rotates: bool) -> None:
    """Generate key NAME into a key file, for work without a coordinator."""
    from cape_airflow.keys import add_key

    version = add_key(file, name, int(size), rotate=rotates)
    click.echo(
        f"key {name}, version {version}, is in {file}; keep that file: without it nothing can be reversed or joined"
    )
