"""Options that several commands have, and what commands print: aligned columns for people, or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cape_airflow.client.results import NewToken

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Give a command the flag ``--json``, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def limit_option(command: F) -> F:
    """Give a command the option ``--limit``."""
    return click.option("--limit", type=click.IntRange(1), default=100, help="Print at most so many.")(command)


def outbox_option(command: F) -> F:
    """Give a command the option ``--outbox``, a folder; None for that of this machine."""
    folder = click.Path(file_okay=False, path_type=Path)
    return click.option("--outbox", type=folder, help="Folder of the reports that wait.")(command)


def print_json(data: Any) -> None:
    """Print plain data as JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_items(items: Sequence[object], columns: Iterable[str], *, as_json: bool) -> None:
    """Print a list of models or dataclasses: these fields of each item in columns, or all of them as JSON."""
    if as_json:
        from pydantic import TypeAdapter

        print_json([TypeAdapter(type(item)).dump_python(item, mode="json") for item in items])
        return
    columns = tuple(columns)
    rows = [[_cell(getattr(item, column)) for column in columns] for item in items]
    print_table([[column.upper().replace("_", " ") for column in columns], *rows])


def print_item(item: BaseModel, *, as_json: bool) -> None:
    """Print one item: a line a field, or JSON."""
    if as_json:
        print_json(item.model_dump(mode="json"))
        return
    fields = {name: value for name, value in item.model_dump(mode="json").items() if not isinstance(value, list | dict)}
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {_cell(value)}")


def print_token(made: NewToken) -> None:
    """Print a new token alone on the standard output, and what is known of it beside."""
    about = f"token {made.id} of {made.user_email}, valid until {made.expires_at:%Y-%m-%d}; keep it secret:"
    click.echo(about, err=True)
    click.echo(made.token.reveal())


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def visible(text: str) -> str:
    """Return text of other people as it is, but for characters that could hide or move something on a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _cell(value: object) -> str:
    """Return a value in one line; text of other people cannot move the cursor."""
    text = "-" if value is None or value == "" else str(value)
    return "".join(char if char.isprintable() else " " for char in text)
