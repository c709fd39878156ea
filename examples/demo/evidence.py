"""What came out of the demo: one customer before and after, and a search for what must not be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet
from rich import box
from rich.table import Table

from cape_airflow.client.results import Job
from people import FIRST_NAMES, LAST_NAMES, MAIL_DOMAIN

WIDTH = 20


def before_and_after(source: Path, target: Path, job: Job) -> Table:
    """Return a table of the first customer with consent: every column, before and after, and what it got."""
    customers = csv.read_csv(source)
    before = customers.filter(customers["consent"]).slice(0, 1).to_pylist()[0]
    after = parquet.read_table(target).slice(0, 1).to_pylist()[0]
    table = Table("column", "before", "after", "what it got", "values", "nulls", box=box.SIMPLE_HEAD)
    for column in job.columns:
        got = ", ".join(column.techniques) or column.decision
        shown = _short(after[column.name]) if column.name in after else "[dim]-[/]"
        table.add_row(column.name, _short(before[column.name]), shown, got, f"{column.values:,}", f"{column.nulls:,}")
    return table


def leaks(target: Path, folders: Iterable[Path]) -> list[str]:
    """Return where names or addresses of customers are found: in the output, or in any file below `folders`."""
    return [*_in_table(parquet.read_table(target)), *_in_files(folders)]


def _in_table(table: pa.Table) -> Iterator[str]:
    wanted = "|".join([*FIRST_NAMES, *LAST_NAMES, MAIL_DOMAIN])
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pc.any(pc.match_substring_regex(pc.cast(column, pa.string()), wanted, ignore_case=True)).as_py():
            yield f"the column {name} of the output holds names or addresses of customers"


def _in_files(folders: Iterable[Path]) -> Iterator[str]:
    files = (file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file())
    for file in files:
        if MAIL_DOMAIN.encode() in file.read_bytes():
            yield f"{file} holds addresses of customers"


def _short(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
