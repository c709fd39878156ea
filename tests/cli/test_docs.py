from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from cape_airflow.cli import main


def _leaves(command: click.Command, path: str = "cape") -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield path
        return
    if command.invoke_without_command:  # does something by itself, as `cape jobs --from NAME`
        yield path
    for name, below in command.commands.items():
        yield from _leaves(below, f"{path} {name}")


def test_every_command_is_documented_and_every_documented_one_exists(repository: Path):
    page = (repository / "docs" / "cli.md").read_text()
    cells = re.findall(r"^\| (`cape .*?) \|", page, re.MULTILINE)
    named = {name.strip() for cell in cells for name in re.findall(r"`(cape(?: [a-z]+(?:-[a-z]+)*)+)", cell)}
    old_names = re.compile("cape (projects )?(policy|contributors) ")
    leaves = set(_leaves(main))
    assert named <= leaves
    assert {leaf for leaf in leaves - named if not old_names.match(leaf)} == set()
    assert {
        "cape policy validate",
        "cape policy plan",
        "cape policy diff",
        "cape policy schema",
        "cape policy get",
    } <= named
