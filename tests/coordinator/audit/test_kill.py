"""A6, L4: whatever dies, what was acknowledged is there, each effect has its row, and the chain verifies.

`TEST_KILLS` says how many times the service is killed on each database; 10 unless told otherwise.
"""

from __future__ import annotations

import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from cape_airflow.coordinator.audit.checkpoints import CheckpointFile
from cape_airflow.coordinator.audit.log import entries, last_seq
from cape_airflow.coordinator.audit.verification import Report, verify
from cape_airflow.coordinator.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

KILLS = int(os.environ.get("TEST_KILLS", "10"))
WRITERS = 4


def make_projects(url: str, token: str, acknowledged: list[str]) -> None:
    """Make projects until the coordinator is gone; note those that it acknowledged."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        while True:
            label = f"p-{secrets.token_hex(8)}"
            try:
                answer = client.post("/v1/projects", json={"name": label, "label": label})
            except httpx.TransportError:
                return
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 201:
                acknowledged.append(label)


def wait_for_more(acknowledged: list[str], more: int) -> None:
    enough, deadline = len(acknowledged) + more, time.monotonic() + 120
    while len(acknowledged) < enough:
        assert time.monotonic() < deadline, "the coordinator acknowledges nothing"
        time.sleep(0.002)


def verified(settings: Any) -> Report:
    store = Store(settings)
    try:
        with store.read() as session:
            end = last_seq(session)
        checkpoints = [signed.checkpoint for signed in CheckpointFile(settings.checkpoints).read()]
        return verify(entries(store.read, 0, end), checkpoints)
    finally:
        store.close()


def column(settings: Any, query: str) -> list[str]:
    store = Store(settings)
    try:
        with store.read() as session:
            return [value for (value,) in session.execute(text(query))]
    finally:
        store.close()


def test_A6_L4_after_every_kill_the_chain_verifies_and_nothing_acknowledged_is_lost(served: Any, prepared: Any) -> None:
    acknowledged: list[str] = []
    for kill in range(KILLS):
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(make_projects, served.url, prepared.admin, acknowledged) for _ in range(WRITERS)]
            wait_for_more(acknowledged, 1 + kill % 5)
            time.sleep(0.0037 * (kill % 20))  # another moment every time, in the midst of writing
            served.kill()
            for writer in writers:
                writer.result()
        report = verified(served.settings)
        assert report.intact, (kill, report.findings)
        served.start()
    stored = column(served.settings, "SELECT label FROM projects WHERE label LIKE 'p-%'")
    recorded = column(
        served.settings, "SELECT target_label FROM audit WHERE event = 'create-project' AND target_label LIKE 'p-%'"
    )
    assert len(acknowledged) >= KILLS
    assert set(acknowledged) <= set(stored)
    assert sorted(stored) == sorted(recorded), "each project once, with its record, and no record without its project"
    if served.settings.db_url is None:
        assert column(served.settings, "PRAGMA integrity_check") == ["ok"]
