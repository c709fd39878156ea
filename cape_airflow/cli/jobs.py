"""``cape jobs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cape_airflow.cli.output import json_option, limit_option, outbox_option, print_item, print_items, print_table
from cape_airflow.cli.running import print_running
from cape_airflow.cli.session import config_file, connected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cape_airflow.jobs import ColumnCounts


@click.group(invoke_without_command=True)
@click.option("--from", "scheduler", metavar="NAME", help="List what runs on this scheduler, with a policy or without.")
@click.option("--since", default="1d", help="Leave out what had ended so long ago: 30m, 12h, 7d; or before a date.")
@click.option("--user", help="Only the jobs of this user of the scheduler.")
@click.option(
    "--schedulers",
    envvar="CAPE_SCHEDULERS",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file that names the schedulers.  [default: schedulers.toml beside the configuration of `cape login`]",
)
@json_option
@click.pass_context
def jobs(
    context: click.Context,
    *,
    scheduler: str | None,
    since: str,
    user: str | None,
    schedulers: Path | None,
    as_json: bool,
) -> None:
    """The runs of a project; and with --from, what runs on another scheduler."""
    if context.invoked_subcommand is not None:
        if scheduler is not None:
            raise click.UsageError("--from goes without a command")
    elif scheduler is None:
        raise click.UsageError("name a command, or a scheduler with --from NAME")
    else:
        print_running(schedulers or config_file().with_name("schedulers.toml"), scheduler, since, user, as_json=as_json)


@jobs.command("list")
@click.argument("project")
@limit_option
@json_option
def list_(project: str, limit: int, as_json: bool) -> None:
    """List the jobs of PROJECT, newest first."""
    columns = ("job_id", "state", "attempts", "started_at", "source", "target")
    with connected() as client:
        print_items(client.jobs(project, limit=limit), columns, as_json=as_json)


@jobs.command()
@click.argument("project")
@click.argument("job")
@json_option
def get(project: str, job: str, as_json: bool) -> None:
    """Show a job with what each column got."""
    with connected() as client:
        found = client.job(project, job)
    print_item(found, as_json=as_json)
    if not as_json:
        click.echo(found.progress.describe())
        print_columns(found.columns)


@jobs.command()
@outbox_option
@click.option("--token-id", metavar="ID", help="Deliver reports of another token, e.g. an expired one, with yours.")
def flush(outbox: Path | None, token_id: str | None) -> None:
    """Deliver the job reports that could not be delivered so far."""
    from cape_airflow.jobs import Outbox
    from cape_airflow.jobs.folder import default_folder

    with connected() as client:
        delivery = Outbox(outbox or default_folder(), client, token_id).flush()
    click.echo(f"{delivery.delivered} delivered, {len(delivery.refused)} refused, {delivery.waiting} waiting")
    for addressee, number in delivery.elsewhere.items():
        click.echo(f"{number} more waiting for {addressee}")
    for reason in delivery.refused:
        click.echo(f"refused: {reason}", err=True)
    if delivery.trouble:
        raise click.ClickException(delivery.trouble)


def print_columns(columns: Sequence[ColumnCounts]) -> None:
    """Print what each column got."""
    rows = [
        (each.name, each.decision, ", ".join(each.techniques), str(each.values), str(each.nulls)) for each in columns
    ]
    if rows:
        print_table([("COLUMN", "DECISION", "TECHNIQUES", "VALUES", "NULLS"), *rows])
