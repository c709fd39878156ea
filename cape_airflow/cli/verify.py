"""``cape verify``: read an output again, and hold it against the policy that it was made under."""

from __future__ import annotations

from pathlib import Path

import click

from cape_airflow.cli.apply import FORMAT, column_types_of, keys_of
from cape_airflow.cli.files import POLICY_FILE, read_policy
from cape_airflow.cli.output import json_option, print_items, print_json

_SHOWN = ("check", "column", "rule", "outcome", "rows", "why")


@click.command()
@click.argument("policy", type=POLICY_FILE)
@click.argument("source")
@click.argument("output")
@click.option("--keys", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Key file.")
@click.option("--source-format", type=FORMAT, help="Where the suffix does not tell it.")
@click.option("--output-format", type=FORMAT, help="Where the suffix does not tell it.")
@click.option(
    "--column-type",
    "column_types",
    metavar="COLUMN=TYPE",
    multiple=True,
    callback=column_types_of,
    help="Type of a CSV or JSON column of SOURCE, as it was given to `cape apply`.",
)
@click.option("--job-id", help="The job that wrote it; without, that is not checked.")
@json_option
def verify(
    *,
    policy: str,
    source: str,
    output: str,
    key_file: Path | None,
    source_format: str | None,
    output_format: str | None,
    column_types: dict[str, str],
    job_id: str | None,
    as_json: bool,
) -> None:
    """Check whether OUTPUT is what POLICY makes of SOURCE; no value is shown.

    Keys come from the key file and the environment; tokens must be of the primary version of each.
    """
    from cape_airflow.datasets import open_source
    from cape_airflow.engines import verification
    from cape_airflow.policy import compile_plan

    checked = read_policy(policy)
    opened = open_source(source, format=source_format, options={"column_types": column_types} if column_types else None)
    plan, keys = compile_plan(checked, opened.schema), keys_of(checked, key_file)
    expected = verification.Expected(job_id=job_id, versions=verification.primary_versions(plan, keys))
    written = verification.open_output(plan, lambda options: open_source(output, format=output_format, options=options))
    found = verification.verify(plan, opened, written, expected, keys=keys)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_items(found.verdicts, _SHOWN, as_json=False)
        click.echo(f"{output}: {found.describe()}; {found.rows_out:,} rows of {found.rows_in:,}")
    found.require_kept()
