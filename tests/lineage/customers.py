"""Customers with one column for each fate, and a policy that decides it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cape_airflow.keys import add_key

POLICY = """
version: 2
rules:
  - match: {name: email}
    actions: [{transform: {type: keyed-hash, key: {ref: customer-id}}}]
  - match: {name: password}
    actions: [{transform: {type: deterministic-encryption, key: {ref: customer-id}}}]
  - match: {name: visit}
    actions:
      - transform: {type: add-noise, min: -9, max: 9, consistent: true, subject: email, key: {ref: customer-id}}
  - match: {name: country}
    keep: {reason: needed}
  - match: {name: phone}
    actions: [drop]
  - where: "country = 'XX'"
    actions: [suppress-record]
"""
ROWS = {
    "email": ["ann@example.com", "bob@example.com", "cy@example.com"],
    "password": ["canary-pass-1", "canary-pass-2", "canary-pass-3"],
    "visit": [424242, 434343, 444444],
    "country": ["NL", "XX", "DE"],
    "phone": ["555-0001", "555-0002", "555-0003"],
}


def customers(folder: Path) -> dict[str, str]:
    """Write `ROWS`, of which three columns are tagged, the policy and a key; return the arguments of an operator."""
    table = pa.table(ROWS)
    for name in ("email", "password", "country"):
        tagged = table.field(name).with_metadata({"cape.tags": f"pii.{name}"})
        table = table.cast(table.schema.set(table.column_names.index(name), tagged))
    pq.write_table(table, folder / "in.parquet")
    (folder / "policy.yaml").write_text(POLICY)
    add_key(folder / "keys.json", "customer-id")
    return {
        "source": str(folder / "in.parquet"),
        "target": str(folder / "out.parquet"),
        "policy_file": str(folder / "policy.yaml"),
        "key_file": str(folder / "keys.json"),
    }


def without_a_subject(places: dict[str, str]) -> None:
    """Take two e-mail addresses away, so that the noise by `email` is refused."""
    table = pq.read_table(places["source"])
    fewer = pa.array(["canary@example.com", None, None])
    pq.write_table(table.set_column(table.column_names.index("email"), "email", fewer), places["source"])


def secrets_of(places: dict[str, str]) -> list[str]:
    """Return what no event may hold: the key, constants of the policy, and all values but those that are common."""
    key = json.loads(Path(places["key_file"]).read_text())["customer-id"]["versions"]["1"]
    return [key, "XX'", *(str(each) for column in ROWS.values() for each in column if len(str(each)) > 2)]
