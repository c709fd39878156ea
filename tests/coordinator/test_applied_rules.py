"""Which place of a policy a report's column is traced back to, against what the compiler did."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cape_airflow.coordinator.applied_rules import applied_rules, row_rules
from cape_airflow.jobs import ColumnCounts
from cape_airflow.policy import compile_plan, load_policy

VERSION_1 = """\
label: old
version: 1
rules:
  - match: {name: salary}
    actions:
      - transform: {type: round, precision: -3}
      - transform: {type: numeric-perturbation, dtype: Double, min: 0, max: 1, seed: 3}
  - match: {name: name}
    actions:
      - transform: {type: column-redact, columns: [name, phone]}
  - match: {name: age}
    actions:
      - transform: {type: row-redact, condition: "age < 18"}
"""
VERSION_2 = """\
label: new
version: 2
default: drop
rules:
  - match: {dtype: date}
    actions:
      - transform: {type: date-truncate, unit: month}
  - match: {pattern: "e*"}
    actions: [drop]
  - match: {name: email}
    keep: {reason: public}
  - match: {dtype: boolean}
    keep: {reason: harmless}
  - where: "age < 18"
    actions: [suppress-record]
  - match: {name: age}
    actions:
      - transform: {type: round, precision: -1}
"""
SCHEMA = pa.schema(
    {"email": "string", "employer": "string", "born": pa.date32(), "paid": "bool", "age": "int64", "note": "string"}
)


def traced(text: str, schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """What is said of the columns of a run, by the report alone."""
    policy = load_policy(text)
    columns = compile_plan(policy, schema).columns
    counts = [ColumnCounts(name=each.name, techniques=each.techniques, decision=each.decision) for each in columns]
    return {each.name: tuple(rule.rule for rule in applied_rules(policy, each)) for each in counts}


def test_a_report_leads_to_the_places_that_the_compiler_used() -> None:
    plan = compile_plan(load_policy(VERSION_2), SCHEMA)
    assert traced(VERSION_2, SCHEMA) == {each.name: each.rules for each in plan.columns}


@pytest.mark.parametrize(("name", "certain"), [("email", True), ("employer", True), ("born", False), ("note", True)])
def test_what_types_decide_is_said_to_be_likely(name: str, certain: bool) -> None:
    policy = load_policy(VERSION_2)
    [outcome] = [each for each in compile_plan(policy, SCHEMA).columns if each.name == name]
    column = ColumnCounts(name=name, techniques=outcome.techniques, decision=outcome.decision)
    assert {rule.certain for rule in applied_rules(policy, column)} == {certain}


def test_in_version_1_every_action_on_a_column_is_named_in_order() -> None:
    schema = pa.schema({"salary": "int64", "name": "string", "phone": "string", "age": "int64"})
    plan = compile_plan(load_policy(VERSION_1), schema)
    assert [len(each.rules) for each in plan.columns] == [2, 1, 1, 0]
    assert traced(VERSION_1, schema) == {each.name: each.rules or ("default",) for each in plan.columns}


def test_rows_are_dropped_by_the_lines_that_say_so() -> None:
    assert [(row.line, row.condition) for row in row_rules(load_policy(VERSION_2))] == [(14, "age < 18")]
    assert [row.condition for row in row_rules(load_policy(VERSION_1))] == ["age < 18"]
