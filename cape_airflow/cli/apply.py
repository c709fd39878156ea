"""``cape apply``: run a policy file over data on this machine, without a coordinator."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from cape_airflow.cli.files import POLICY_FILE, read_policy
from cape_airflow.cli.jobs import print_columns
from cape_airflow.cli.output import json_option, print_json

if TYPE_CHECKING:
    from cape_airflow.jobs import Progress
    from cape_airflow.keys import KeyRing
    from cape_airflow.policy import Policy

FORMAT = click.Choice(["parquet", "csv", "jsonl", "arrow"])
"""Names of file formats, as options take them."""

_EVERY_SECONDS = 10.0


def column_types_of(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """Read ``COLUMN=TYPE`` as an option is given it, once or several times."""
    types = {}
    for each in value:
        column, equals, kind = each.rpartition("=")
        if not equals:
            raise click.BadParameter("write COLUMN=TYPE, e.g. zip=string")
        types[column] = kind
    return types


def _job_id(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    job_id = value or uuid4().hex
    if len(job_id) != 32 or set(job_id) - set("0123456789abcdef"):
        raise click.BadParameter("must be 32 lower-case hex digits")
    return job_id


@click.command()
@click.argument("policy", type=POLICY_FILE)
@click.argument("source")
@click.argument("target")
@click.option("--keys", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Key file.")
@click.option("--source-format", type=FORMAT, help="Where the suffix does not tell it.")
@click.option("--target-format", type=FORMAT, help="Where the suffix does not tell it.")
@click.option(
    "--column-type",
    "column_types",
    metavar="COLUMN=TYPE",
    multiple=True,
    callback=column_types_of,
    help="Type of a CSV or JSON column, e.g. zip=string.",
)
@click.option("--job-id", callback=_job_id, help="The same for every try, so that a try replaces the one before it.")
@json_option
def apply(
    *,
    policy: str,
    source: str,
    target: str,
    key_file: Path | None,
    source_format: str | None,
    target_format: str | None,
    column_types: dict[str, str],
    job_id: str,
    as_json: bool,
) -> None:
    """De-identify SOURCE into TARGET under a policy file.

    SOURCE is a file, a glob, a folder or a URL; TARGET a file, or a folder where it ends with a slash. TARGET appears
    whole or not at all. Keys come from the key file, and from environment variables CAPE_KEY_<NAME>.
    """
    from cape_airflow.datasets import open_sink, open_source
    from cape_airflow.engines import run_local
    from cape_airflow.policy import compile_plan

    checked = read_policy(policy)
    options = {"column_types": column_types} if column_types else None
    opened = open_source(source, format=source_format, options=options)
    plan = compile_plan(checked, opened.schema)
    sink = open_sink(target, job_id=job_id, format=target_format)
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    with _shown() as show:
        finish = run_local(plan, keys_of(checked, key_file), opened, sink, job_id=job_id, on_progress=show)
    if as_json:
        print_json({"job_id": job_id, "policy_digest": plan.policy_digest, **finish.model_dump(mode="json")})
        return
    print_columns(finish.columns)
    click.echo(f"{target}: {finish.progress.describe()}; policy {plan.policy_digest[:12]}, job {job_id}")


def keys_of(policy: Policy, key_file: Path | None) -> KeyRing:
    """Return the keys of a policy, of a key file, and of the environment, asked in that order."""
    from cape_airflow.keys import EnvironmentKeys, FileKeys, KeyRing

    return KeyRing(policy.inline_keys(), *([FileKeys(key_file)] if key_file else []), EnvironmentKeys())


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _Lines()


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(task, total=progress.rows_total, completed=progress.rows_in, description=progress.describe())

        yield show


class _Lines:
    def __init__(self) -> None:
        self._due = time.monotonic() + _EVERY_SECONDS

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._due:
            click.echo(progress.describe(), err=True)
            self._due = time.monotonic() + _EVERY_SECONDS
