"""A6, A8, L4: what was acknowledged is there, whatever dies; nothing is there twice, or without its record."""

from __future__ import annotations

import secrets
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import psycopg
import pytest

pytestmark = pytest.mark.integration

KILLS = 10
WRITERS = 4


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def approve_a_policy(process: Any, prepared: Any, policy: str) -> str:
    path = "/v1/projects/customers/suggestions"
    with httpx.Client(base_url=process.url) as client:
        body = {"title": "first", "policy": policy}
        made = client.post(path, json=body, headers=headers(prepared.people["contributor"])).json()
        body = {"digest": made["digest"]}
        owner = headers(prepared.people["owner"])
        assert client.post(f"{path}/{made['id']}/approve", json=body, headers=owner).is_success
    return str(made["digest"])


def start_jobs(url: str, token: str, digest: str) -> list[str]:
    """Start jobs one after the other until the coordinator is gone; return those that it acknowledged."""
    acknowledged: list[str] = []
    with httpx.Client(base_url=url, headers=headers(token), timeout=30) as client:
        while True:
            job_id = secrets.token_hex(16)
            body = {
                "job_id": job_id,
                "policy_digest": digest,
                "engine": "local",
                "kernels": "python",
                "source": "a",
                "target": "b",
                "started_at": "2026-11-21T12:00:00Z",
            }
            try:
                answer = client.put(f"/v1/projects/customers/jobs/{job_id}", json=body)
            except httpx.TransportError:
                return acknowledged
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 201:
                acknowledged.append(job_id)


def rows(settings: Any, query: str) -> list[tuple[Any, ...]]:
    """Ask the database itself, not through the coordinator."""
    if settings.db_url is None:
        with closing(sqlite3.connect(settings.home / "coordinator.db")) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(settings.db_url.get_secret_value()) as connection:
        return connection.execute(query).fetchall()


def test_A6_every_write_that_was_acknowledged_outlives_a_kill(served: Any, prepared: Any, policy_text: str) -> None:
    digest = approve_a_policy(served, prepared, policy_text)
    acknowledged: set[str] = set()
    for kill in range(KILLS):
        with ThreadPoolExecutor(WRITERS) as pool:
            arguments = (served.url, prepared.people["worker"], digest)
            writers = [pool.submit(start_jobs, *arguments) for _ in range(WRITERS)]
            time.sleep(0.1 + 0.05 * kill)  # another moment every time, in the midst of writing
            served.kill()
            acknowledged |= {job_id for writer in writers for job_id in writer.result()}
        served.start()
    stored = [job_id for (job_id,) in rows(served.settings, "SELECT job_id FROM jobs")]
    recorded = [target for (target,) in rows(served.settings, "SELECT target_id FROM audit WHERE event = 'start-job'")]
    assert len(acknowledged) > KILLS
    assert acknowledged <= set(stored)
    assert sorted(stored) == sorted(recorded), "each job once, with its record, and no record without its job"
    if served.settings.db_url is None:
        assert rows(served.settings, "PRAGMA integrity_check") == [("ok",)]


def test_A8_the_coordinator_says_503_while_postgresql_is_down_and_recovers_with_it(
    mortal_postgresql: Any, deploy_on: Any
) -> None:
    deployment = deploy_on(mortal_postgresql.database())
    assert deployment.ask("GET", "/v1/me", deployment.admin).is_success
    for number in range(3):
        mortal_postgresql.control("stop", "-m", "immediate")
        answer = deployment.ask("GET", "/v1/me", deployment.admin)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert deployment.ask("GET", "/v1/health").is_success
        mortal_postgresql.control("start")
        began = time.monotonic()
        while not deployment.ask("POST", "/v1/projects", deployment.admin, {"name": f"p{number}"}).is_success:
            assert time.monotonic() - began < 5
    assert deployment.rows("SELECT label FROM projects ORDER BY seq") == [("p0",), ("p1",), ("p2",)]
