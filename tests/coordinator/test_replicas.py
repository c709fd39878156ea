"""Any number of coordinators on one database are one service."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, pairwise
from threading import Barrier
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration

JOBS = 40
WORKERS = 4
FINISH = {"state": "succeeded", "progress": {"rows_in": 9, "rows_out": 9}, "finished_at": "2026-11-21T12:00:09Z"}


@pytest.fixture
def replicas(served: Any) -> Iterator[list[Any]]:
    """Two processes that serve one database."""
    other = type(served)(served.settings)
    other.start()
    yield [served, other]
    other.kill()


def client(replica: Any, token: str) -> httpx.Client:
    return httpx.Client(base_url=replica.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def approved(replicas: list[Any], prepared: Any, policy: str) -> str:
    """Suggest on the one and approve on the other; return the digest."""
    path = "/v1/projects/customers/suggestions"
    with client(replicas[0], prepared.people["contributor"]) as author:
        made = author.post(path, json={"title": "first", "policy": policy}).raise_for_status().json()
    with client(replicas[1], prepared.people["owner"]) as owner:
        assert owner.get(f"{path}/{made['id']}").json()["policy"] == policy
        answer = owner.post(f"{path}/{made['id']}/approve", json={"digest": made["digest"]}).raise_for_status()
    assert answer.json()["state"] == "approved"
    return str(made["digest"])


def rows(replica: Any, query: str) -> list[Any]:
    from cape_airflow.coordinator.store import Store

    store = Store(replica.settings)
    with store.read() as session:
        found = list(session.connection().exec_driver_sql(query))
    store.close()
    return found


def test_what_one_replica_approves_the_other_hands_out_and_both_sign_alike(
    replicas: list[Any], prepared: Any, policy_text: str
) -> None:
    digest = approved(replicas, prepared, policy_text)
    answers = []
    for replica in replicas:
        with client(replica, prepared.people["worker"]) as worker:
            answers.append(worker.get(f"/v1/projects/customers/policies/{digest}").raise_for_status())
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["etag"] == answers[1].headers["etag"]


def test_a_token_revoked_on_one_replica_is_refused_by_the_other_at_once(replicas: list[Any], prepared: Any) -> None:
    with client(replicas[0], prepared.admin) as one:
        made = one.post("/v1/tokens", json={"description": "short"}).raise_for_status().json()
        with client(replicas[1], made["token"]) as other:
            assert other.get("/v1/me").is_success
            assert one.delete(f"/v1/tokens/{made['id']}").is_success
            assert other.get("/v1/me").status_code == 401


def test_B5_the_same_post_to_both_replicas_at_one_moment_has_one_effect(replicas: list[Any], prepared: Any) -> None:
    for number in range(5):
        start, key = Barrier(2), secrets.token_hex(8)

        def post(replica: Any, number: int = number, start: Barrier = start, key: str = key) -> httpx.Response:
            with client(replica, prepared.admin) as admin:
                start.wait(timeout=30)
                return admin.post("/v1/projects", json={"name": f"p{number}"}, headers={"Idempotency-Key": key})

        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(post, replicas)
        assert (one.status_code, one.json()) == (201, other.json())


def run_jobs(replicas: list[Any], token: str, digest: str, job_ids: list[str]) -> None:
    """Start each job on one replica, tell of it on the other, and finish it on the first."""
    clients = [client(replica, token) for replica in replicas]
    turns = cycle([clients, clients[::-1]])
    for job_id, (one, other) in zip(job_ids, turns, strict=False):
        path = f"/v1/projects/customers/jobs/{job_id}"
        start = {
            "job_id": job_id,
            "policy_digest": digest,
            "engine": "local",
            "kernels": "python",
            "source": "a",
            "target": "b",
            "started_at": "2026-11-21T12:00:00Z",
        }
        assert one.put(path, json=start).status_code == 201
        assert other.post(f"{path}/heartbeat", json={"rows_in": 5}).is_success
        assert one.post(f"{path}/finish", json=FINISH).is_success
        assert other.get(path).json()["state"] == "succeeded"
    for each in clients:
        each.close()


def test_jobs_that_speak_to_both_replicas_are_all_there_once_with_their_records(
    replicas: list[Any], prepared: Any, policy_text: str
) -> None:
    digest = approved(replicas, prepared, policy_text)
    job_ids = [secrets.token_hex(16) for _ in range(JOBS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = [job_ids[number::WORKERS] for number in range(WORKERS)]
        list(pool.map(lambda part: run_jobs(replicas, prepared.people["worker"], digest, part), parts))
    stored = rows(replicas[0], "SELECT job_id, state, attempts FROM jobs")
    assert sorted(stored) == sorted((job_id, "succeeded", 1) for job_id in job_ids)
    for event in ("start-job", "finish-job"):
        recorded = rows(replicas[0], f"SELECT target_id FROM audit WHERE event = '{event}'")
        assert sorted(recorded) == sorted((job_id,) for job_id in job_ids), event
    chain = rows(replicas[0], "SELECT seq, previous, hash FROM audit ORDER BY seq")
    assert [seq for seq, _, _ in chain] == list(range(1, len(chain) + 1))
    assert all(later[1] == earlier[2] for earlier, later in pairwise(chain)), "one chain, whoever writes it"
