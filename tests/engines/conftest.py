"""Policies, keys and data that many tests of engines use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest

from cape_airflow import Plan, compile_plan, load_policy
from cape_airflow.keys import Key, KeyRing, Secret

JOB = "0123456789abcdef" * 2

POLICY = """
label: customers
version: 2
domain: tests
rules:
  - where: "age < 18"
    actions: [suppress-record]
  - match: {name: name}
    actions: [{transform: {type: keyed-hash, key: {ref: customers}}}]
  - match: {name: email}
    actions: [{transform: {type: deterministic-encryption, key: {ref: customers}}}]
  - match: {name: born}
    actions: [{transform: {type: date-truncate, unit: year}}]
  - match: {name: salary}
    actions: [{transform: {type: round, precision: -3}}]
  - match: {name: phone}
    actions: [drop]
  - match: {name: [age, country]}
    keep: {reason: not identifying}
"""


class OneKey:
    """A provider of one key."""

    def get(self, name: str) -> Key | None:
        return Key(name, {1: Secret(bytes(range(64)))}) if name == "customers" else None

    def names(self) -> tuple[str, ...]:
        return ("customers",)


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing(OneKey())


def table(rows: int) -> pa.Table:
    """Invented customers; every third has no e-mail, every tenth is a child."""
    return pa.table(
        {
            "name": [f"name-{n}" for n in range(rows)],
            "email": pa.array([f"e{n}@example.com" if n % 3 else None for n in range(rows)], pa.string()),
            "born": pa.array([dt.date(1950 + n % 50, 1 + n % 12, 3) for n in range(rows)], pa.date32()),
            "salary": pa.array([1000.5 * n for n in range(rows)], pa.float64()),
            "phone": pa.array([str(n) for n in range(rows)], pa.string()),
            "age": pa.array([10 if n % 10 == 0 else 20 + n % 50 for n in range(rows)], pa.int64()),
            "country": pa.array(["CH", "DE", "FR"] * (rows // 3 + 1), pa.string()).slice(0, rows).dictionary_encode(),
        }
    )


@pytest.fixture(scope="session")
def customers() -> Callable[[int], pa.Table]:
    return table


@pytest.fixture(scope="session")
def plan() -> Plan:
    return compile_plan(load_policy(POLICY), table(1).schema)


@pytest.fixture(scope="session")
def planned() -> Callable[..., Plan]:
    """Return a function that compiles version 1 actions on columns against a schema."""

    def planned(schema: pa.Schema, *rules: str) -> Plan:
        lines = "".join(f"\n  - {rule}" for rule in rules)
        return compile_plan(load_policy(f"label: test\nrules:{lines}\n"), schema)

    return planned
