"""``cape keys``: a project's keys, and key files. Material is never printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cape_airflow.cli.output import json_option, print_item, print_items, print_table
from cape_airflow.cli.session import connected

if TYPE_CHECKING:
    from cape_airflow.client.results import ProjectKey

_SIZES = click.Choice(["32", "64"])


@click.group()
def keys() -> None:
    """The keys that policies name: of a project, or in a file."""


@keys.command()
@click.argument("project")
@click.argument("name")
@click.option("--bytes", "size", type=_SIZES, help="Deterministic encryption takes 64.", default="32")
@click.option("--rotate-after", "days", type=click.IntRange(1, 3650), help="Days until a rotation is due.")
def create(project: str, name: str, size: str, days: int | None) -> None:
    """Have the coordinator generate key NAME for PROJECT."""
    with connected() as client:
        key = client.create_key(project, name, int(size), days)
    click.echo(f"key {key.name} of {project}, version {key.primary}; in a policy: key: {{ref: {key.name}}}")


@keys.command("list")
@click.argument("project")
@json_option
def list_(project: str, as_json: bool) -> None:
    """List the keys of PROJECT."""
    with connected() as client:
        listed = client.keys(project)
    if as_json:
        print_items(listed, (), as_json=True)
        return
    rows = [[key.name, str(key.primary), _others(key), _rotation(key)] for key in listed]
    print_table([["NAME", "PRIMARY", "OTHER VERSIONS", "ROTATION"], *rows])


@keys.command()
@click.argument("project")
@click.argument("name")
def rotate(project: str, name: str) -> None:
    """Add a version to a key of PROJECT; new tokens are made with it."""
    with connected() as client:
        key = client.rotate_key(project, name)
    click.echo(f"key {key.name} of {project} is at version {key.primary}")


@keys.command("rotate-after")
@click.argument("project")
@click.argument("name")
@click.argument("days", type=click.IntRange(0, 3650))
def rotate_after(project: str, name: str, days: int) -> None:
    """Say after how many DAYS a key of PROJECT is due for a rotation; 0 for never. Nothing rotates by itself."""
    with connected() as client:
        key = client.set_key_rotation(project, name, days or None)
    click.echo(f"key {key.name} of {project}: {_rotation(key)}")


@keys.command()
@click.argument("project")
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
def retire(project: str, name: str, version: int) -> None:
    """Let an older VERSION of a key of PROJECT reveal what it has made, and make nothing new."""
    with connected() as client:
        client.retire_key(project, name, version)
    click.echo(f"version {version} of key {name} of {project} is retired; only workers that may reveal get it")


@keys.command()
@click.argument("project")
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
@click.option("--confirm", prompt="This cannot be undone. Name of the key", help="The name of the key once more.")
@json_option
def destroy(project: str, name: str, version: int, confirm: str, as_json: bool) -> None:
    """Erase a retired VERSION of a key of PROJECT for ever, and print the receipt."""
    with connected() as client:
        key = client.destroy_key(project, name, version, confirm)
    [gone] = [row for row in key.versions if row.version == version]
    print_item(gone, as_json=as_json)


@keys.command("grant-reveal")
@click.argument("project")
@click.argument("email")
def grant_reveal(project: str, email: str) -> None:
    """Let a worker of PROJECT turn tokens back into what they stand for."""
    with connected() as client:
        client.set_reveal(project, email, True)
    click.echo(f"{email} may reveal what the keys of {project} have hidden")


@keys.command("withdraw-reveal")
@click.argument("project")
@click.argument("email")
def withdraw_reveal(project: str, email: str) -> None:
    """Let a worker of PROJECT reveal no longer; to keep old versions from him, retire them."""
    with connected() as client:
        client.set_reveal(project, email, False)
    click.echo(f"{email} may no longer reveal what the keys of {project} have hidden")


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


def _others(key: ProjectKey) -> str:
    return ", ".join(f"{row.version} {row.state}" for row in key.versions if row.version != key.primary) or "-"


def _rotation(key: ProjectKey) -> str:
    if key.rotation_due_at is None:
        return "no period"
    return f"{'near, ' if key.near_rotation else ''}due on {key.rotation_due_at:%Y-%m-%d}"
