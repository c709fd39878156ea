"""An output is read again: each promise that is broken on purpose is found, and a right output passes."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from sqlalchemy import URL

from cape_airflow import compile_plan, load_policy
from cape_airflow.datasets import Source, open_sink, open_source
from cape_airflow.datasets.listing import MANIFEST
from cape_airflow.datasets.sql import Database, Write, open_sql_sink, open_sql_source, reference
from cape_airflow.engines import run_local
from cape_airflow.engines.verification import Expected, open_output, primary_versions, verify
from cape_airflow.errors import GuaranteeBroken
from cape_airflow.jobs import Outcome, Verification
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.policy import Plan
from cape_airflow.transformations import techniques
from cape_airflow.transformations.base import Family
from tests.engines.conftest import JOB, POLICY, table

ROWS = 3000
CARDS = """
  - match: {name: card}
    actions: [{transform: {type: format-preserving-encryption, key: {ref: customers}, version: 1, keep: "-"}}]
"""
EXPECTED = Expected(JOB, ROWS, ROWS * 9 // 10, {"customers": frozenset({1})})


def people(rows: int = ROWS) -> pa.Table:
    cards = [f"4556-{n:08d}-{n * 7919 % 10**6:06d}" for n in range(rows)]
    return table(rows).append_column("card", pa.array(cards))


class Run:
    """A run over invented customers, whose output can be tampered with before it is read again."""

    def __init__(self, folder: Path, keys: KeyRing) -> None:
        self.source, self.output = folder / "in.parquet", folder / "out.parquet"
        self.keys = keys
        pq.write_table(people(), self.source)
        self.plan = compile_plan(load_policy(POLICY + CARDS), open_source(str(self.source)).schema)
        sink = open_sink(str(self.output), job_id=JOB)
        run_local(self.plan, keys, open_source(str(self.source)), sink, job_id=JOB)

    def verified(self, expected: Expected = EXPECTED) -> Verification:
        return verify(self.plan, open_source(str(self.source)), open_source(str(self.output)), expected, keys=self.keys)

    def tamper(self, change: Callable[[pa.Table], pa.Table]) -> None:
        pq.write_table(change(pq.read_table(self.output)), self.output)


@pytest.fixture
def run(tmp_path: Path, keys: KeyRing) -> Run:
    return Run(tmp_path, keys)


def broken(found: Verification) -> set[tuple[str, str | None, int]]:
    return {(each.check, each.column, each.rows) for each in found.of(Outcome.BROKEN)}


def test_an_output_that_nobody_touched_keeps_every_promise(run: Run) -> None:
    found = run.verified()
    found.require_kept()
    assert not found.of(Outcome.UNCHECKED)
    assert (found.rows_in, found.rows_out) == (ROWS, ROWS * 9 // 10)
    assert {each.check for each in found.verdicts} == {
        "columns",
        "type",
        "token-grammar",
        "key-version",
        "values-in-common",
        "row-count",
        "policy-digest",
        "job-id",
    }


def _with(column: str, change: Callable[[list[Any]], list[Any]], kind: pa.DataType | None = None) -> Callable[..., Any]:
    def tampered(output: pa.Table) -> pa.Table:
        values = pa.array(change(output[column].to_pylist()), kind or output.schema.field(column).type)
        return output.set_column(output.schema.get_field_index(column), column, values)

    return tampered


def _original(column: str) -> Callable[[pa.Table], pa.Table]:
    """Put back what went in, as if the technique had been skipped."""

    def tampered(output: pa.Table) -> pa.Table:
        rows = people().filter(pc.greater_equal(people()["age"], 18))
        return output.set_column(output.schema.get_field_index(column), column, rows[column])

    return tampered


def _named(**metadata: str) -> Callable[[pa.Table], pa.Table]:
    named = {name.encode(): value.encode() for name, value in metadata.items()}
    return lambda output: output.replace_schema_metadata({**output.schema.metadata, **named})


KEPT = ROWS * 9 // 10
TAMPERINGS: dict[str, tuple[Callable[[pa.Table], pa.Table], set[tuple[str, str | None, int]]]] = {
    "a hash is cut short": (
        _with("name", lambda values: [values[0][:-1], *values[1:]]),
        {("token-grammar", "name", 1)},
    ),
    "a hash is in capitals": (
        _with("name", lambda values: [*values[:5], values[5].upper(), *values[6:]]),
        {("token-grammar", "name", 1)},
    ),
    "a line break follows a hash": (
        _with("name", lambda values: [values[0] + "\n", *values[1:]]),
        {("token-grammar", "name", 1)},
    ),
    "a hash is empty text": (_with("name", lambda values: ["", *values[1:]]), {("token-grammar", "name", 1)}),
    "hashes of another key version stand among the others": (
        _with("name", lambda values: [value.replace("t1_", "t2_") for value in values[:7]] + values[7:]),
        {("key-version", "name", 7)},
    ),
    "all tokens are of another key version": (
        _with("email", lambda values: [value and value.replace("e1_", "e3_") for value in values]),
        {("key-version", "email", 1800)},
    ),
    "a token has an odd number of digits": (
        _with("email", lambda values: [*values[:-1], values[-1] + "0"]),
        {("token-grammar", "email", 1)},
    ),
    "one name came out": (
        _with("name", lambda values: [*values[:-1], "name-2999"]),
        {("token-grammar", "name", 1), ("values-in-common", "name", 1)},
    ),
    "names were not hashed": (
        _original("name"),
        {("token-grammar", "name", KEPT), ("values-in-common", "name", KEPT)},
    ),
    "card numbers were not encrypted": (_original("card"), {("values-in-common", "card", KEPT)}),
    "twenty card numbers were not encrypted": (
        lambda output: pa.concat_tables([output.slice(20), _original("card")(output).slice(0, 20)]),
        {("values-in-common", "card", 20)},
    ),
    "a card number has a letter": (
        _with("card", lambda values: ["4556-A", *values[1:]]),
        {("token-grammar", "card", 1)},
    ),
    "a card number has four digits": (
        _with("card", lambda values: ["4556", *values[1:]]),
        {("token-grammar", "card", 1)},
    ),
    "hashes became numbers": (
        _with("name", lambda values: list(range(len(values))), pa.int64()),
        {("token-grammar", "name", KEPT), ("type", "name", 0)},
    ),
    "hashes became lists": (
        _with("name", lambda values: [[value] for value in values], pa.list_(pa.string())),
        {("token-grammar", "name", KEPT), ("type", "name", 0)},
    ),
    "a dropped column is back": (
        lambda output: output.append_column("phone", pa.nulls(len(output), pa.string())),
        {("columns", "phone", 0)},
    ),
    "a column is missing": (lambda output: output.drop_columns(["salary"]), {("columns", "salary", 0)}),
    "a tokenised column is missing": (lambda output: output.drop_columns(["name"]), {("columns", "name", 0)}),
    "there is a column that the policy does not know": (
        lambda output: output.append_column("note", output["name"]),
        {("columns", "note", 0)},
    ),
    "a kept column is of another type": (
        _with("age", lambda values: [float(value) for value in values], pa.float64()),
        {("type", "age", 0)},
    ),
    "a rounded column is of another type": (
        _with("salary", lambda values: [int(value) for value in values], pa.int64()),
        {("type", "salary", 0)},
    ),
    "a row is gone": (lambda output: output.slice(1), {("row-count", None, 1)}),
    "rows stand twice": (lambda output: pa.concat_tables([output, output.slice(0, 9)]), {("row-count", None, 9)}),
    "there are no rows": (lambda output: output.slice(0, 0), {("row-count", None, KEPT)}),
    "another policy is named": (_named(**{"cape.policy_digest": "0" * 64}), {("policy-digest", None, 0)}),
    "another job is named": (_named(**{"cape.job_id": "f" * 32}), {("job-id", None, 0)}),
    "the metadata is gone": (
        lambda output: output.replace_schema_metadata(None),
        {("policy-digest", None, 0), ("job-id", None, 0)},
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_promise_that_is_broken_is_found_with_column_and_rows(name: str, run: Run) -> None:
    change, found = TAMPERINGS[name]
    run.tamper(change)
    verification = run.verified()
    assert broken(verification) == found
    with pytest.raises(GuaranteeBroken) as refusal:
        verification.require_kept()
    check, column, rows = min(found, key=str)
    told = str(refusal.value)
    assert check in told
    assert column is None or f"column `{column}`" in told
    assert not rows or f"{rows:,}" in told


def test_neither_the_report_nor_the_error_holds_a_value(run: Run) -> None:
    run.tamper(_original("name"))
    verification = run.verified()
    with pytest.raises(GuaranteeBroken) as refusal:
        verification.require_kept()
    assert "name-" not in verification.model_dump_json() + str(refusal.value)


def test_rows_that_a_policy_suppresses_and_that_came_out_all_the_same_are_found(run: Run) -> None:
    everyone = compile_plan(load_policy((POLICY + CARDS).replace("age < 18", "age < 0")), run.plan.input_schema)
    sink = open_sink(str(run.output), job_id=JOB)
    run_local(everyone, run.keys, open_source(str(run.source)), sink, job_id=JOB)
    assert ("row-count", None, ROWS // 10) in broken(run.verified(replace(EXPECTED, rows_out=ROWS)))


def test_a_source_that_has_changed_since_the_job_is_found(run: Run) -> None:
    pq.write_table(people(ROWS + 10), run.source)
    assert ("row-count", None, 10) in broken(run.verified())


def test_rows_may_stand_in_another_order(run: Run) -> None:
    order = np.random.default_rng(1).permutation(KEPT)
    run.tamper(lambda output: output.take(order))
    run.verified().require_kept()


def test_what_is_not_known_of_a_run_is_not_checked_and_not_called_kept(run: Run) -> None:
    found = run.verified(Expected())
    assert not found.of(Outcome.BROKEN)
    assert {each.check for each in found.of(Outcome.UNCHECKED)} == {"key-version", "job-id"}


def test_a_file_of_another_job_among_the_parts_of_a_folder_is_found(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    output = pq.read_table(run.output)
    pq.write_table(output.slice(0, 2000), folder / "0.parquet")
    pq.write_table(_named(**{"cape.job_id": "f" * 32})(output.slice(2000)), folder / "1.parquet")
    run.output = folder
    [verdict] = run.verified().of(Outcome.BROKEN)
    assert (verdict.check, verdict.why) == ("job-id", "1 of 2 files name another, or none")


def test_a_manifest_tells_policy_and_job_of_files_that_cannot_as_those_of_spark(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    pq.write_table(pq.read_table(run.output).replace_schema_metadata(None), folder / "0.parquet")
    said = {"job_id": JOB, "policy_digest": run.plan.policy_digest, "files": [{"name": "0.parquet"}]}
    (folder / MANIFEST).write_text(json.dumps(said))
    run.output = folder
    run.verified().require_kept()
    (folder / MANIFEST).write_text(json.dumps(said | {"policy_digest": "0" * 64}))
    assert {each.check for each in run.verified().of(Outcome.BROKEN)} == {"policy-digest"}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "arrow"])
def test_other_formats_are_verified_as_far_as_they_go(suffix: str, tmp_path: Path, keys: KeyRing) -> None:
    source, target = tmp_path / "in.parquet", str(tmp_path / f"out.{suffix}")
    rows = people().set_column(0, "name", pa.array([f"={n}+name" for n in range(ROWS)]))
    pq.write_table(rows, source)
    text = POLICY.replace("type: keyed-hash, key: {ref: customers}", 'type: character-mask, keep_first: 1, mask: "-"')
    plan = compile_plan(load_policy(text + CARDS), open_source(str(source)).schema)
    run_local(plan, keys, open_source(str(source)), open_sink(target, job_id=JOB), job_id=JOB)
    assert primary_versions(plan, keys) == EXPECTED.versions

    def opened(options: Mapping[str, Any] | None) -> Source:
        return open_source(target, options=options)

    def verified() -> Verification:
        return verify(plan, open_source(str(source)), open_output(plan, opened), EXPECTED, keys=keys)

    verified().require_kept()
    unchecked = {each.check for each in verified().of(Outcome.UNCHECKED)}
    assert unchecked == (set() if suffix == "arrow" else {"type", "policy-digest", "job-id"})
    if suffix == "csv":
        path = Path(target)
        path.write_text(path.read_text().replace("e1_", "e2_", 1))
        assert broken(verified()) == {("key-version", "email", 1)}


# Every technique: parameters, and a column that it takes.
TEXT = pa.array([f"person-{n}@example.com" for n in range(500)] + [None])
NUMBERS = pa.array([*range(10**6, 10**6 + 500), None])
FLOATS = pa.array([n / 7 for n in range(500)] + [None])
DATES = pa.array([dt.date(1950 + n % 60, 1 + n % 12, 1 + n % 28) for n in range(500)] + [None])
AMOUNTS = pa.array([Decimal(n) / 4 for n in range(500)] + [None], pa.decimal128(12, 2))
MASKED = pa.array(["j**n", "***", "", "a", None, "john"])
KEYED: dict[str, Any] = {"key": {"ref": "customers"}}
OLD: dict[str, Any] = {"key": {"ref": "old"}}
FORMAT: dict[str, Any] = {"type": "format-preserving-encryption", "version": 1} | KEYED
NOISE: dict[str, Any] = {"min": -3, "max": 3}
RIGHT: tuple[tuple[dict[str, Any], pa.Array], ...] = (
    *(({"type": "keyed-hash"} | KEYED, column) for column in (TEXT, NUMBERS, DATES, AMOUNTS, TEXT.dictionary_encode())),
    ({"type": "keyed-hash", "encoding": "base32"} | KEYED, TEXT),
    ({"type": "keyed-hash", "encoding": "raw"} | KEYED, TEXT),
    ({"type": "keyed-hash", "encoding": "raw", "length": 16} | KEYED, TEXT.cast(pa.large_string())),
    ({"type": "keyed-hash", "length": 8, "lossy": True} | KEYED, TEXT),
    *(({"type": "deterministic-encryption"} | KEYED, column) for column in (TEXT, NUMBERS, MASKED)),
    (FORMAT, NUMBERS),
    (FORMAT, pc.negate(NUMBERS)),
    (FORMAT, pc.utf8_lpad(NUMBERS.cast(pa.string()), 9, "0").dictionary_encode()),
    (FORMAT | {"width": 7}, NUMBERS),
    (FORMAT | {"alphabet": "lower-alphanumeric", "keep": "-@.[]^"}, TEXT),
    (FORMAT | {"alphabet": "".join(map(chr, range(0x3B1, 0x3BA))), "keep": "-"}, pa.array(["\u03b1\u03b2-" * 9])),
    ({"type": "character-mask"}, TEXT),
    ({"type": "character-mask", "keep_first": 1, "keep_last": 1}, MASKED),
    ({"type": "character-mask", "keep_first": 2000, "mask": "\\"}, TEXT),
    ({"type": "character-mask", "pattern": "^[^@]+"}, TEXT),
    ({"type": "character-mask", "pattern": "[0-9]", "mask": "."}, TEXT),
    ({"type": "suppress-value"}, TEXT),
    ({"type": "suppress-value"}, pa.array([b"\xff", None])),
    ({"type": "suppress-value", "replacement": "person-7@example.com"}, TEXT),
    ({"type": "suppress-value", "replacement": 7}, FLOATS),
    ({"type": "suppress-value", "replacement": 7}, NUMBERS),
    ({"type": "suppress-value", "replacement": "1.5"}, AMOUNTS),
    ({"type": "suppress-value", "replacement": "2020-02-03"}, DATES.cast(pa.timestamp("us"))),
    ({"type": "suppress-value", "replacement": True}, pa.array([True, False, None])),
    ({"type": "round", "precision": -1}, NUMBERS),
    ({"type": "date-truncate", "unit": "month"}, DATES),
    ({"type": "add-noise"} | NOISE, FLOATS),
    ({"type": "tokenizer", "max_token_len": 5} | OLD, TEXT),
    ({"type": "tokenizer", "max_token_len": 2} | OLD, pa.array([f"{n:02x}" for n in range(256)])),
    ({"type": "tokenizer", "max_token_len": 0} | OLD, pa.array(["", "x"])),
    ({"type": "tokenizer"}, TEXT),
    ({"type": "reversible-tokenizer"} | OLD, TEXT),
    ({"type": "numeric-rounding", "dtype": "Integer", "precision": -1}, FLOATS),
    ({"type": "numeric-perturbation", "dtype": "Short"} | NOISE, NUMBERS),
    ({"type": "date-truncation", "frequency": "MONTH"}, DATES),
    ({"type": "date-perturbation", "frequency": "DAY"} | NOISE, DATES),
)


class Keys:
    """Customers' key, and an old one of 32 bytes."""

    def get(self, name: str) -> Key | None:
        return Key(name, {1: Secret(bytes(range(32 if name == "old" else 64)))})

    def names(self) -> tuple[str, ...]:
        return ()


def _verified(spec: dict[str, Any], column: pa.Array, folder: Path) -> tuple[Plan, Verification]:
    source, target = str(folder / "in.parquet"), str(folder / "out.parquet")
    pq.write_table(pa.table({"a": column}), source)
    rules = [{"match": {"name": "a"}, "actions": [{"transform": spec}]}]
    plan = compile_plan(load_policy(yaml.safe_dump({"version": 2, "rules": rules})), open_source(source).schema)
    keys = KeyRing(Keys())
    finish = run_local(plan, keys, open_source(source), open_sink(target, job_id=JOB), job_id=JOB)
    versions = {"customers": frozenset({1}), "old": frozenset({1})}
    expected = Expected(JOB, finish.progress.rows_in, finish.progress.rows_out, versions)
    return plan, verify(plan, open_source(source), open_source(target), expected, keys=keys)


@pytest.mark.parametrize(("spec", "column"), RIGHT, ids=lambda part: str(getattr(part, "type", part)))
def test_a_right_output_of_any_technique_passes(spec: dict[str, Any], column: pa.Array, tmp_path: Path) -> None:
    _, found = _verified(spec, column, tmp_path)
    found.require_kept()


def test_no_technique_is_left_out() -> None:
    revealing = {name for name, kind in techniques().items() if kind.family is Family.REIDENTIFICATION}
    asked = {spec["type"] for spec, _ in RIGHT}
    assert set(techniques()) - revealing - asked == {"suppress-attribute", "suppress-record"}


def test_a_tokenised_dictionary_column_is_looked_at_value_by_value(tmp_path: Path) -> None:
    plan, _ = _verified({"type": "keyed-hash"} | KEYED, TEXT.dictionary_encode(), tmp_path)
    source, target = str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")
    output = pq.read_table(target)
    tampered = output["a"].cast(pa.string()).to_pylist()
    tampered[:3] = ["person-9@example.com"] * 3
    column = pa.array(tampered).dictionary_encode()
    pq.write_table(pa.table({"a": column}).replace_schema_metadata(output.schema.metadata), target)
    expected = Expected(versions={"customers": frozenset({1})})
    found = verify(plan, open_source(source), open_source(target), expected, keys=KeyRing(Keys()))
    assert broken(found) == {("token-grammar", "a", 3), ("values-in-common", "a", 3)}


def test_rows_that_are_dropped_by_what_a_technique_made_of_them_are_counted_with_its_keys(tmp_path: Path) -> None:
    source, target = str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")
    pq.write_table(pa.table({"a": [11, 14, 26, 31]}), source)
    text = """
label: test
rules:
  - {match: {name: a}, actions: [{transform: {type: TECHNIQUE}}]}
  - {match: {name: a}, actions: [{transform: {type: row-redact, condition: a >= 30}}]}
"""
    for technique, outcome in (
        ("round, precision: -1", Outcome.KEPT),
        ("add-noise, min: -1, max: 1", Outcome.UNCHECKED),
    ):
        plan = compile_plan(load_policy(text.replace("TECHNIQUE", technique)), open_source(source).schema)
        run_local(plan, KeyRing(), open_source(source), open_sink(target, job_id=JOB), job_id=JOB)
        found = verify(plan, open_source(source), open_source(target), Expected(), keys=KeyRing())
        assert [each.outcome for each in found.verdicts if each.check == "row-count"] == [outcome]


def test_a_table_is_verified_but_for_what_it_does_not_keep(tmp_path: Path, keys: KeyRing) -> None:
    place, source = Database(URL.create("sqlite", database=str(tmp_path / "db")), "db"), str(tmp_path / "in.parquet")
    pq.write_table(people(), source)
    plan = compile_plan(load_policy(POLICY + CARDS), open_source(source).schema)
    sink = open_sql_sink(place, reference("table:out"), job_id=JOB, write=Write.REPLACE)
    run_local(plan, keys, open_source(source), sink, job_id=JOB)

    def verified() -> Verification:
        with closing(open_sql_source(place, reference("table:out"))) as output:
            return verify(plan, open_source(source), output, EXPECTED, keys=keys)

    verified().require_kept()
    assert {each.check for each in verified().of(Outcome.UNCHECKED)} == {"type", "policy-digest", "job-id"}
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("UPDATE out SET name = 'name-1' WHERE rowid = 1")
    assert broken(verified()) == {("token-grammar", "name", 1), ("values-in-common", "name", 1)}
