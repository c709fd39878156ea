from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.process import BaseProcess

import pytest

from tests.datasets.sql.conftest import Databank

pytestmark = pytest.mark.integration

ROWS, KILLS = 100_000, 20
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.datasets.sql.conftest", "cape_airflow.datasets.sql.postgres.sink"])


def attempt(databank: Databank, number: int) -> None:
    databank.run(f"query:select id, email, {number} as attempt from people", job=f"{number:032x}")


def started(databank: Databank, number: int) -> BaseProcess:
    process = CONTEXT.Process(target=attempt, args=(Databank(databank.server), number))
    process.start()
    return process


def state(databank: Databank) -> tuple[int, int]:
    """Return which attempt's rows are there: all of one, and of no other."""
    rows, first, last, ids = databank.rows("SELECT count(*), min(attempt), max(attempt), count(DISTINCT id) FROM out")[
        0
    ]
    assert (rows, ids) == (ROWS, ROWS)
    assert first == last
    indexes = databank.rows("SELECT indexname FROM pg_indexes WHERE tablename = 'out'")
    assert indexes == [("out_pkey",)]
    return first, last


def test_twenty_kills_at_random_moments_leave_the_old_table_whole_and_the_next_try_is_right(databank: Databank) -> None:
    databank.sql.execute(f"INSERT INTO people SELECT i, 'p' || i, 1 FROM generate_series(1001, {ROWS}) AS i")
    for _ in range(2):  # the first also starts the server that forks
        begun = time.monotonic()
        process = started(databank, 0)
        process.join()
        seconds = time.monotonic() - begun
    databank.sql.execute("ALTER TABLE out ADD PRIMARY KEY (id)")
    last = 0
    for number in range(1, KILLS + 1):
        process = started(databank, number)
        time.sleep(random.uniform(0, seconds))
        process.kill()
        process.join()
        committed, _ = state(databank)
        assert committed in {last, number}
        last = committed
    retry = started(databank, KILLS + 1)
    retry.join()
    assert retry.exitcode == 0
    assert state(databank) == (KILLS + 1, KILLS + 1)
    left = databank.rows("SELECT relname FROM pg_class WHERE relname LIKE 'cape%'")
    assert left == []
