"""The coordinator under load, beside a plain service of FastAPI and SQLAlchemy with the same routes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contenders.coordinator import READERS, SECONDS
from benchmarks.environments import FOLDER, OURS
from benchmarks.options import Options, cores
from benchmarks.processes import Contender
from benchmarks.report import Goal, Section, Table, cell
from benchmarks.rounds import Measured, interleaved

POLICY = Path(__file__).parent / "policy.yaml"
SERVER = "BENCH_POSTGRESQL"
RUSH = 500

WORDS = """\
One process each, on the cores that the client uses, too; {readers} connections for {seconds:g} s, medians of the
rounds. A read is that of a policy by digest; a write is the start, a heartbeat or the end of a job, on disk before the
answer (SQLite: `synchronous=FULL`). Ours checks role and seals, writes a row into the hash chain for every read, too,
and a line into its log; the plain service looks up the token, and writes a row for starts and ends. {rush} clients
of ours, each with a connection of its own, then start, tell of and finish a job at the same moment, and ask again where
it says that it has no time; the plain service answers many of so many with 500. `{server}` names a server on which
databases can be made, such as `postgresql://cape@localhost/postgres`: without it SQLite alone is measured."""


def section(options: Options) -> Section:
    """Measure; return the part of the report."""
    kinds = ["SQLite", *(["PostgreSQL"] if SERVER in os.environ else [])]
    tables, goals = [], []
    for kind in kinds:
        FOLDER.mkdir(exist_ok=True)
        with TemporaryDirectory(prefix="coordinator-", dir=FOLDER) as folder:  # on a disk, which writes wait for
            contenders = [_contender(kind, task, folder) for task in ("ours", "plain")]
            ours, plain = interleaved(contenders, options)
        tables.append(_table(kind, ours, plain))
        goals += _goals(kind, ours, plain)
    words = WORDS.format(readers=READERS, seconds=SECONDS, rush=RUSH, server=SERVER)
    return Section("Coordinator", words, tables, goals)


def _contender(kind: str, task: str, folder: str) -> Contender:
    url = _database() if kind == "PostgreSQL" else None
    arguments = {"folder": folder, "policy": POLICY.read_text(), "url": url, "rush": RUSH * (task == "ours")}
    return Contender(f"{task}, {kind}", f"coordinator:{task}", arguments, 1, OURS, cores())


def _database() -> str:
    """Make a database on the server, and return its URL."""
    import psycopg

    server, name = os.environ[SERVER], f"bench_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.rpartition('/')[0]}/{name}"


def _value(measured: Measured, lap: str, what: str) -> float:
    """Return the median of what was measured in a lap.

    Raises:
        Unavailable: it was not.
    """
    laps = [answer["result"][lap] for answer in measured.rounds if lap in answer["result"]]
    return Measured(measured.contender, laps, measured.missing).median(what)


def _table(kind: str, *services: Measured) -> Table:
    heads = (
        kind,
        "reads/s",
        "p99 ms",
        "writes/s",
        "p99 ms",
        f"{RUSH} clients, requests/s",
        "p99 ms",
        "asked again",
        "lost",
        "doubled",
    )
    return Table(heads, [_row(service) for service in services])


def _row(service: Measured) -> tuple[str, ...]:
    name = service.contender.name
    if service.missing:
        return name, f"not available: {service.missing}", *("-" for _ in range(8))
    rates = [
        cell(partial(_value, service, lap, what), factor)
        for lap in ("reads", "writes", "rush")
        for what, factor in (("rate", 1), ("p99", 1000))
    ]
    return name, *rates, *(cell(partial(_value, service, "rush", what)) for what in ("again", "lost", "doubled"))


def _goals(kind: str, ours: Measured, plain: Measured) -> list[Goal]:
    def times(lap: str, what: str, over: Measured, under: Measured) -> Callable[[], float]:
        return lambda: _value(over, lap, what) / _value(under, lap, what)

    return [
        Goal(f"reads, to the plain service, {kind}", times("reads", "rate", ours, plain), 5),
        Goal(f"p99 of reads, to the plain service, {kind}", times("reads", "p99", ours, plain), 0.2, at_most=True),
        Goal(f"writes, to the plain service, {kind}", times("writes", "rate", ours, plain), 3),
        Goal(f"p99 of writes, to the plain service, {kind}", times("writes", "p99", ours, plain), 0.2, at_most=True),
        Goal(f"jobs of {RUSH} clients lost, {kind}", partial(_value, ours, "rush", "lost"), 0, at_most=True),
        Goal(f"jobs of {RUSH} clients doubled, {kind}", partial(_value, ours, "rush", "doubled"), 0, at_most=True),
    ]
