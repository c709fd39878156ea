from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cape_airflow.coordinator.audit.chain import FACTS, FIELDS, GENESIS, entry_of, hash_of, link
from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.store.models import AuditRow


def row(**more: Any) -> AuditRow:
    given = {"time": datetime(2026, 11, 21, tzinfo=UTC), "event": "x", "target_type": "t", "target_id": "i"}
    return AuditRow(**dict.fromkeys(FACTS) | given | more)


def test_a_hash_is_the_sha256_of_the_canonical_json_of_the_row() -> None:
    only = row(target_label='a "quoted" ü\n')
    link([only], 0, GENESIS)
    text = (
        '{"client_address":null,"event":"x","previous":"' + GENESIS + '","project":null,"request_id":null,"seq":1,'
        '"target_id":"i","target_label":"a \\"quoted\\" ü\\n","target_type":"t","time":"2026-11-21T00:00:00.000000Z",'
        '"user_email":null,"user_id":null}'
    )
    assert only.hash == hashlib.sha256(text.encode()).hexdigest()


def test_rows_are_numbered_and_chained_in_their_order() -> None:
    rows = [row(target_id=str(number)) for number in range(3)]
    link(rows, 41, "f" * 64)
    assert [each.seq for each in rows] == [42, 43, 44]
    assert [each.previous for each in rows] == ["f" * 64, rows[0].hash, rows[1].hash]


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "hash"])
def test_every_field_counts(name: str) -> None:
    link([only := row()], 0, GENESIS)
    entry = entry_of(only)
    assert hash_of(entry | {name: 7 if name == "seq" else "other"}) != entry["hash"]


def test_what_comes_back_from_the_database_has_the_hash_that_was_stored(deployment: Any) -> None:
    store = deployment.app.state.coordinator.store
    stored = list(entries(store.read, 0, 10**9))
    assert len(stored) > 5
    assert [hash_of(entry) for entry in stored] == [entry["hash"] for entry in stored]
    assert [hash_of(json.loads(json.dumps(entry))) for entry in stored] == [entry["hash"] for entry in stored]
