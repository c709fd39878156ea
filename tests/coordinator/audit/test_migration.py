"""A9: rows from before the chain are chained in their order, and stay what they were."""

from __future__ import annotations

from typing import Any

from alembic import command
from sqlalchemy import text

from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.audit.verification import verify
from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.migrate import configuration, exclusive, upgrade

ROWS = 2_500
COLUMNS = "seq, time, event, target_type, target_id, target_label"


def test_A9_rows_from_before_the_chain_are_chained_and_survive_down_and_up(maker: Any) -> None:
    store = Store(maker.empty_settings())
    values = [
        # With gaps, as a sequence of PostgreSQL leaves them.
        {"seq": 3 * number, "time": f"2026-01-01 00:00:00.{number:06d}", "target_id": f"ü {number}"}
        for number in range(1, ROWS + 1)
    ]
    with exclusive(store) as connection:
        upgrade(connection, "0002")
        connection.execute(
            text(f"INSERT INTO audit ({COLUMNS}) VALUES (:seq, :time, 'create-key', 'key', :target_id, NULL)"), values
        )
    for _ in range(2):
        with exclusive(store) as connection:
            upgrade(connection)
        with store.read() as session:
            found = session.execute(text("SELECT seq, target_id FROM audit ORDER BY seq")).all()
        assert [tuple(row) for row in found] == [(each["seq"], each["target_id"]) for each in values]
        report = verify(entries(store.read, 0, 10**9), [])
        assert (report.rows, report.findings) == (ROWS, [])
        with exclusive(store) as connection:
            command.downgrade(configuration(connection), "0002")
    store.close()
