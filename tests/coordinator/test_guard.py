from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from cape_airflow.coordinator.guard import Gate
from cape_airflow.coordinator.problems import Problem


def test_the_gate_lets_so_many_in_and_sends_the_rest_away_in_time() -> None:
    async def crowd() -> list[int]:
        gate, inside, most = Gate(9, 2, 0.05), 0, []

        async def visit() -> int:
            nonlocal inside
            try:
                async with gate.turn(writes=True):
                    inside += 1
                    most.append(inside)
                    await asyncio.sleep(0.2)
                    inside -= 1
            except Problem as problem:
                return problem.status_code
            return 200

        answers = await asyncio.gather(*(visit() for _ in range(5)))
        assert max(most) == 2
        return sorted(answers)

    assert asyncio.run(crowd()) == [200, 200, 503, 503, 503]


def test_who_reads_does_not_wait_for_those_who_write() -> None:
    async def read_beside_a_writer() -> None:
        gate = Gate(1, 1, 0.05)
        async with gate.turn(writes=True), gate.turn(writes=False):
            pass

    asyncio.run(read_beside_a_writer())


def test_the_gate_opens_again_after_a_failure() -> None:
    async def fail_and_return() -> None:
        gate = Gate(1, 1, 0.05)
        with pytest.raises(ZeroDivisionError):
            async with gate.turn(writes=False):
                raise ZeroDivisionError
        async with gate.turn(writes=False):
            pass

    asyncio.run(fail_and_return())


def test_more_clients_than_places_are_all_served(maker: Any) -> None:
    deployment = maker.deployment(concurrency=2)

    def change(number: int) -> int:
        body = {"name": f"p{number}"}
        return int(deployment.ask("POST", "/v1/projects", deployment.admin, body).status_code)

    with deployment.http, ThreadPoolExecutor(30) as pool:
        assert set(pool.map(change, range(60))) == {201}
    assert len(deployment.rows("SELECT * FROM projects")) == 61


def test_a_request_that_fails_gives_its_connection_back(maker: Any) -> None:
    deployment = maker.deployment(concurrency=1)
    for _ in range(10):
        assert deployment.ask("POST", "/v1/projects", deployment.admin, {}).status_code == 422
        assert deployment.ask("GET", "/v1/projects/none", deployment.admin).status_code == 404
    assert deployment.app.state.coordinator.store.engine.pool.checkedout() == 0


def test_health_answers_while_the_database_is_stuck(maker: Any) -> None:
    deployment = maker.deployment(concurrency=1, lock_seconds=1)
    with deployment.http, ThreadPoolExecutor(4) as pool:
        with deployment.app.state.coordinator.store.write() as other:
            other.execute(text("UPDATE projects SET name = 'x'"))
            path = "/v1/projects/customers"
            waiting = [pool.submit(deployment.ask, "PATCH", path, deployment.admin, {"name": "y"}) for _ in range(3)]
            assert deployment.ask("GET", "/v1/health").is_success
        statuses = {answer.result().status_code for answer in waiting}
    assert statuses <= {200, 503}
