"""Reading an output again: does it keep what the plan promises?

Source and output are read once each, batch by batch; memory does not grow with them. Of values, only HMACs under a key
of the moment are kept (see `common_values`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from cape_airflow.arrow_types import type_name
from cape_airflow.datasets import Source
from cape_airflow.datasets.formats import FORMATS, format_by_name
from cape_airflow.engines.counting import RowFilter
from cape_airflow.engines.local import JOB_ID, POLICY_DIGEST
from cape_airflow.engines.promises import ColumnPromise, plain_type, promises_of
from cape_airflow.jobs import Outcome, Verdict, Verification
from cape_airflow.kernels.text import is_text
from cape_airflow.keys import KeyRing
from cape_airflow.policy import Plan

BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Expected:
    """What is known of a run besides its plan.

    Args:
        job_id: that the output should name; None where it is not known.
        rows_in, rows_out: that the job reported; None where there is no report.
        versions: of each key, those that may have made tokens in this run.
    """

    job_id: str | None = None
    rows_in: int | None = None
    rows_out: int | None = None
    versions: Mapping[str, frozenset[int]] = field(default_factory=dict)


def verify(
    plan: Plan,
    source: Source,
    output: Source,
    expected: Expected,
    *,
    keys: KeyRing,
    on_batch: Callable[[], None] = lambda: None,
) -> Verification:
    """Read an output and its source, and hold them against the plan.

    Args:
        plan: compiled against the schema of the source.
        output: what a run of the plan has written; see `open_output`.
        keys: asked only where rows are dropped by what a keyed technique made of a column.
        on_batch: called for every batch; what it raises ends the verification.

    Raises:
        DataError: source or output cannot be read.
        KeyUnavailable: a key that is asked for cannot be had.
    """
    promises = promises_of(plan, output.schema, in_csv=output.format == "csv")
    rows_in, rows_left = _read_source(source, promises, RowFilter(plan, keys), on_batch)
    rows_out = _read_output(output, promises, on_batch)
    verdicts = (
        *_columns(plan, output),
        *_types(plan, output),
        *(verdict for promise in promises for verdict in promise.verdicts(rows_out, expected.versions)),
        *_row_counts(expected, rows_in, rows_left, rows_out),
        *_provenance(plan, output, expected.job_id),
    )
    return Verification(
        policy_digest=plan.policy_digest,
        rows_in=rows_in,
        rows_out=rows_out,
        verdicts=verdicts,
        made_at=datetime.now(UTC),
    )


def open_output(plan: Plan, opened: Callable[[Mapping[str, Any] | None], Source]) -> Source:
    """Open what a run of a plan has written; columns of text are read as text, be they all digits.

    Args:
        plan: as for `verify`.
        opened: opens it with options of its format.

    Raises:
        DatasetError: as `opened`.
    """
    output = opened(None)
    if output.format not in FORMATS or FORMATS[output.format].self_describing:
        return output
    kinds = ((each.name, plain_type(each.type)) for each in plan.output_schema if each.name in output.schema.names)
    return opened({"column_types": {name: "string" for name, kind in kinds if is_text(kind)}})


def primary_versions(plan: Plan, keys: KeyRing) -> dict[str, frozenset[int]]:
    """Return the `Expected.versions` of a run just now: the primary one of each key.

    Raises:
        KeyUnavailable: a key cannot be had.
    """
    return {name: frozenset({keys.get(name).primary}) for name in plan.key_names}


def _read_source(
    source: Source, promises: Sequence[ColumnPromise], filter_: RowFilter, on_batch: Callable[[], None]
) -> tuple[int, int | None]:
    """Return the rows of the source, and those that the plan leaves of them; None where that cannot be told."""
    wanted = {promise.name for promise in promises} | filter_.columns
    rows = left = 0
    for batch in source.batches(_some(source, wanted), BATCH_ROWS):
        on_batch()
        rows += batch.num_rows
        for promise in promises:
            promise.went_in(batch.column(promise.name))
        left += filter_.left(batch)
    return rows, left if filter_.tells else None


def _read_output(output: Source, promises: Sequence[ColumnPromise], on_batch: Callable[[], None]) -> int:
    rows = 0
    for batch in output.batches(_some(output, {promise.name for promise in promises}), BATCH_ROWS):
        on_batch()
        rows += batch.num_rows
        for promise in promises:
            promise.came_out(batch.column(promise.name))
    return rows


def _some(source: Source, wanted: Set[str]) -> list[str]:
    """Return the columns that are wanted, and at least one, for batches without columns have no rows."""
    return [name for name in source.schema.names if name in wanted] or source.schema.names[:1]


def _columns(plan: Plan, output: Source) -> Iterator[Verdict]:
    """Yield whether what was dropped is absent, and all else there, and nothing more."""
    for outcome in plan.columns:
        there, wanted = outcome.name in output.schema.names, outcome.output_type is not None
        why = "" if there == wanted else "it is not there" if wanted else "it was to be dropped, and is there"
        yield _verdict("columns", why, column=outcome.name, rule=_rule(outcome.rules))
    known = {outcome.name for outcome in plan.columns}
    for name in (name for name in output.schema.names if name not in known):
        yield _verdict("columns", "the policy knows no such column", column=name)


def _types(plan: Plan, output: Source) -> Iterator[Verdict]:
    """Yield whether each column is of the type that the plan says, as the format of the output keeps it."""
    planned = _as_stored(plan.output_schema, output.format)
    if planned is None:
        yield Verdict(check="type", outcome=Outcome.UNCHECKED, why=f"{output.format} does not keep Arrow's types")
        return
    rules = {outcome.name: _rule(outcome.rules) for outcome in plan.columns}
    for name in (name for name in planned.names if name in output.schema.names):
        found, wanted = output.schema.field(name).type, planned.field(name).type
        why = "" if found == wanted else f"{type_name(found)}, not {type_name(wanted)}"
        yield _verdict("type", why, column=name, rule=rules[name])


def _as_stored(schema: pa.Schema, format: str) -> pa.Schema | None:
    """Return what a file of this schema says of itself; None for formats without types."""
    if format not in FORMATS or not FORMATS[format].self_describing:
        return None
    kind, file = format_by_name(format), io.BytesIO()
    kind.writer(file, schema).close()
    file.seek(0)
    return kind.describe(file).schema


def _row_counts(expected: Expected, rows_in: int, rows_left: int | None, rows_out: int) -> Iterator[Verdict]:
    if rows_left is None:
        yield Verdict(check="row-count", outcome=Outcome.UNCHECKED, why="rows are dropped by random values")
    else:
        yield _count("the output", rows_out, rows_left, "that the policy leaves of the source")
    if expected.rows_in is not None:
        yield _count("the source", rows_in, expected.rows_in, "that the job read: it has changed since, or is another")
    if expected.rows_out is not None:
        yield _count("the output", rows_out, expected.rows_out, "that the job wrote")


def _count(what: str, found: int, wanted: int, said: str) -> Verdict:
    why = "" if found == wanted else f"{what} has {found:,} rows, not the {wanted:,} {said}"
    return _verdict("row-count", why, rows=abs(found - wanted))


def _provenance(plan: Plan, output: Source, job_id: str | None) -> Iterator[Verdict]:
    """Yield whether every file names the policy and the job that made it."""
    for check, key, wanted in (("policy-digest", POLICY_DIGEST, plan.policy_digest), ("job-id", JOB_ID, job_id)):
        if wanted is None or output.metadata is None:
            why = "it is not known" if wanted is None else f"{output.format} keeps no metadata"
            yield Verdict(check=check, outcome=Outcome.UNCHECKED, why=why)
            continue
        wrong = sum(metadata.get(key) != wanted.encode() for metadata in output.metadata)
        why = f"{wrong} of {len(output.metadata)} files name another, or none" if wrong else ""
        yield _verdict(check, why)


def _verdict(check: str, why: str, *, column: str | None = None, rule: str = "", rows: int = 0) -> Verdict:
    outcome = Outcome.BROKEN if why else Outcome.KEPT
    return Verdict(check=check, column=column, rule=rule, outcome=outcome, rows=rows, why=why)


def _rule(rules: Sequence[str]) -> str:
    return rules[-1] if rules else ""
