from __future__ import annotations

import json
import re

import pyarrow as pa

from cape_airflow.policy import Plan, compile_plan, load_policy

POLICY = """
version: 2
label: customers
domain: analytics
rules:
  - match: {name: email}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {name: born}
    actions:
      - transform: {type: date-truncate, unit: month}
  - match: {name: notes}
    actions: [drop]
  - match: {name: age}
    keep: {reason: coarse}
  - match: {name: visit}
    actions:
      - transform: {type: add-noise, min: -9, max: 9, unit: day, consistent: true, key: {ref: k}, subject: notes}
  - where: age < 18 or notes like 'x%'
    actions: [suppress-record]
guarantees:
  - {type: k-anonymity, k: 5, quasi_identifiers: [age]}
"""
SCHEMA = pa.schema(
    {
        "email": pa.string(),
        "born": pa.timestamp("ns", "Europe/Paris"),
        "notes": pa.large_string(),
        "age": pa.decimal128(5, 2),
        "visit": pa.date32(),
    }
)


def test_a_plan_survives_json() -> None:
    plan = compile_plan(load_policy(POLICY), SCHEMA)
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    assert again.other_columns == ("notes",)
    assert again.output_schema.equals(plan.output_schema, check_metadata=True)


def test_a_plan_holds_no_key() -> None:
    text = "rules: [{match: {name: email}, actions: [{transform: {type: tokenizer, key: canary-key-1}}]}]"
    plan = compile_plan(load_policy(text), SCHEMA)
    assert "canary-key-1" not in json.dumps(plan.to_dict()) + repr(plan) + str(plan)


def test_a_plan_prints_what_each_column_gets() -> None:
    lines = str(compile_plan(load_policy(POLICY), SCHEMA)).splitlines()
    assert [re.split(" {2,}", line) for line in lines[1:7]] == [
        ["COLUMN", "TYPE", "BECOMES", "HOW"],
        ["email", "string", "string", "keyed-hash"],
        ["born", "timestamp[ns, tz=Europe/Paris]", "timestamp[ns, tz=Europe/Paris]", "date-truncate"],
        ["notes", "large_string", "-", "dropped"],
        ["age", "decimal128(5, 2)", "decimal128(5, 2)", "kept (coarse)"],
        ["visit", "date32[day]", "date32[day]", "add-noise"],
    ]
    assert lines[7:9] == ["rows: dropped where age < 18 or notes like 'x%'", "guarantee: 5-anonymity over age"]
    assert all(line.startswith("warning: column `visit`: ") for line in lines[9:])
    assert "noise by `notes`: what lies between two values of one subject is kept exactly" in lines[-1]


def test_a_plan_without_seeded_noise_may_run_in_any_order() -> None:
    assert not compile_plan(load_policy(POLICY), SCHEMA).ordered
    noise = "{type: numeric-perturbation, dtype: Long, min: 0, max: 9, seed: 1}"
    seeded = f"rules: [{{match: {{name: n}}, actions: [{{transform: {noise}}}]}}]"
    assert compile_plan(load_policy(seeded), pa.schema({"n": pa.int64()})).ordered
