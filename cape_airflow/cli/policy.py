"""``cape policy``: look at policy texts on this machine. The old verbs of review live here too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cape_airflow.cli.files import POLICY_FILE, read_policy
from cape_airflow.cli.output import json_option, print_items, print_json
from cape_airflow.cli.session import connected
from cape_airflow.cli.suggestions import REVIEW
from cape_airflow.errors import SchemaMismatch

if TYPE_CHECKING:
    import pyarrow as pa

_TRIED = ("name", "decision", "nulls_before", "nulls_after", "distinct_before", "distinct_after")
_DATA = click.option("--data", metavar="SOURCE", help="File, glob, folder or URL of the data; only schemas are read.")


@click.group()
def policy() -> None:
    """Check policies, and show what they would do."""


@policy.command()
@click.argument("file", type=POLICY_FILE)
@click.option("--strict", is_flag=True, help="Fail where a reviewer should know something.")
@json_option
def validate(file: str, strict: bool, as_json: bool) -> None:
    """Check a policy: its form, its techniques, and what a reviewer should know."""
    from cape_airflow.policy import lint

    checked = read_policy(file)
    findings = lint(checked)
    if as_json:
        found = {"label": checked.label, "version": checked.version, "digest": checked.digest}
        print_json({**found, "findings": [str(each) for each in findings]})
    else:
        for finding in findings:
            click.echo(str(finding), err=True)
        click.echo(
            f"{file}: policy {checked.label}, version {checked.version}, {len(checked.rules)} rules, "
            f"{len(findings) or 'no'} warnings, digest {checked.digest}"
        )
    if strict and findings:
        raise click.exceptions.Exit(1)


@policy.command()
@click.argument("file", type=POLICY_FILE)
@_DATA
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Instead of data: JSON such as {"email": "string", "age": "int64"}.',
)
@json_option
def plan(file: str, data: str | None, schema: Path | None, as_json: bool) -> None:
    """Show what a policy would do to each column, without touching a row."""
    from cape_airflow.policy import compile_plan

    if (data is None) == (schema is None):
        raise click.UsageError("give either --data or --schema")
    compiled = compile_plan(read_policy(file), _read_schema(schema) if schema else _schema_of(data or ""))
    if as_json:
        print_json(compiled.to_dict())
    else:
        click.echo(str(compiled))


@policy.command()
@click.argument("before", type=POLICY_FILE)
@click.argument("after", type=POLICY_FILE)
@_DATA
@json_option
def diff(before: str, after: str, data: str | None, as_json: bool) -> None:
    """Show what changes for the data from one policy to another."""
    from dataclasses import asdict

    from cape_airflow.policy import diff as compare

    changes = compare(read_policy(before), read_policy(after), _schema_of(data) if data else None)
    if as_json:
        print_json([asdict(change) for change in changes])
        return
    for change in changes:
        click.echo(str(change))
    if not changes:
        click.echo("no difference in effect")


@policy.command()
def schema() -> None:
    """Print the JSON Schema of policies, for editors."""
    from cape_airflow.policy import json_schema

    print_json(json_schema())


@policy.command("dry-run")
@click.argument("file", type=POLICY_FILE)
@click.argument("source")
@click.option("--rows", type=click.IntRange(1), default=10_000, show_default=True, help="Rows of the sample.")
@click.option("--keys", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="For `reveal`.")
@click.option("--attach", nargs=2, metavar="PROJECT SUGGESTION", help="Show it to the reviewers of this suggestion.")
@json_option
def dry_run(
    *, file: str, source: str, rows: int, key_file: Path | None, attach: tuple[str, str] | None, as_json: bool
) -> None:
    """Try a policy on the first rows of SOURCE: counts, and what values look like. Nothing is written.

    Letters show as x and digits as 9, and only where at least ten rows look the same. Without --keys, throw-away keys
    are used.
    """
    from cape_airflow.datasets import open_source
    from cape_airflow.engines import dry_run as trial
    from cape_airflow.keys import FileKeys

    taken = trial.sample(open_source(source), rows)
    report = trial.dry_run(read_policy(file), taken, FileKeys(key_file) if key_file else None)
    if attach:
        with connected() as client:
            client.attach_dry_run(*attach, report)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    click.echo(f"{report.rows_in:,} rows in, {report.rows_out:,} out; policy {report.policy_digest[:12]}")
    print_items(report.columns, _TRIED, as_json=False)


for _name, _command in REVIEW.items():
    policy.add_command(_command, _name)


def _schema_of(data: str) -> pa.Schema:
    from cape_airflow.datasets import open_source

    return open_source(data).schema


def _read_schema(path: Path) -> pa.Schema:
    import pyarrow as pa

    try:
        columns = json.loads(path.read_text(encoding="utf-8"))
        return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    except (ValueError, AttributeError, TypeError):
        raise SchemaMismatch(
            f'{path} is no schema; write JSON such as {{"email": "string", "joined": "date32"}}, with Arrow types'
        ) from None
