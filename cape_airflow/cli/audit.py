"""``cape audit``: see the audit log, verify it, export it, follow it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from cape_airflow.cli.coordinator import home_option, settings_of
from cape_airflow.cli.output import json_option, limit_option, print_items, print_json
from cape_airflow.cli.session import connected
from cape_airflow.errors import CoordinatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cape_airflow.coordinator.audit.verification import Report

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """The audit log. For admins and auditors."""


@audit.command()
@limit_option
@json_option
def view(limit: int, as_json: bool) -> None:
    """Show who did what, newest first."""
    columns = ("seq", "time", "event", "user_email", "project", "target_type", "target_id")
    with connected() as client:
        print_items(client.audit(limit=limit), columns, as_json=as_json)


@audit.command()
@home_option
@click.option("--log", type=_FILE, help="Verify this export (lines of JSON) in place of the database.")
@click.option("--checkpoints", type=_FILE, multiple=True, help="Files of checkpoints.  [default: of the settings]")
@click.option("--signing-keys", "pins", help="Keys that checkpoints may be signed with, as `signing-keys` prints them.")
@click.option("--without-checkpoints", is_flag=True, help="Do with less: a cut off or rewritten end is not found.")
@json_option
def verify(
    home: Path | None,
    log: Path | None,
    checkpoints: tuple[Path, ...],
    pins: str | None,
    *,
    without_checkpoints: bool,
    as_json: bool,
) -> None:
    """Say whether the log is as it was written, and where it is not; then the exit code is 1.

    On the coordinator's machine, its settings name database and checkpoints. Anywhere else, give an export, the files
    of the checkpoints and the keys of `cape coordinator signing-keys`.
    """
    from cape_airflow.coordinator.audit.local import verify_export, verify_stored

    keys = tuple(pins.split(",")) if pins else ()
    if log is None:
        report = verify_stored(settings_of(home), checkpoints, keys)
    else:
        if checkpoints and not keys:
            raise click.UsageError("checkpoints of an export need --signing-keys")
        with log.open(encoding="utf-8") as lines:
            report = verify_export(lines, log.name, checkpoints, keys)
    _print(report, as_json=as_json)
    if report.covered == 0 and report.intact and not without_checkpoints:
        raise CoordinatorError(
            "no checkpoint covers any row, so that a cut off or rewritten end would not show; "
            "give --checkpoints, or --without-checkpoints"
        )
    if not report.intact:
        raise click.exceptions.Exit(1)


@audit.command()
@home_option
@click.option("--format", "form", type=click.Choice(["ndjson", "csv"]), default="ndjson")
@click.option("--output", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="A file; - for stdout.")
def export(home: Path | None, form: str, output: IO[str]) -> None:
    """Write the whole log of the coordinator on this machine; that is recorded in it.

    Lines of JSON can be verified, CSV is for spreadsheets.
    """
    from cape_airflow.coordinator.audit.local import export_stored

    for line in export_stored(settings_of(home), "csv" if form == "csv" else "ndjson"):
        output.write(line)


@audit.command()
@home_option
def follow(home: Path | None) -> None:
    """Make checkpoints and serve sinks until stopped; `cape coordinator start` does so by itself."""
    import signal
    from threading import Event

    from cape_airflow.coordinator.audit.local import follow as run

    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    run(settings_of(home), stop)


def _print(report: Report, *, as_json: bool) -> None:
    findings: Sequence[str] = [str(finding) for finding in report.findings]
    if as_json:
        found = [{"first": each.first, "last": each.last, "what": each.what} for each in report.findings]
        print_json(
            {"rows": report.rows, "seq": report.seq, "head": report.head, "covered": report.covered, "findings": found}
        )
        return
    for finding in findings:
        click.echo(finding)
    click.echo(f"{report.rows} rows, {len(findings) or 'no'} findings; the last row is {report.seq}: {report.head}")
    click.echo(f"checkpoints cover the rows up to {report.covered}")
