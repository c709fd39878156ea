"""PostgreSQL to PostgreSQL, beside a plain COPY out and in of the same table."""

from __future__ import annotations

import os
import secrets
from functools import partial

from benchmarks.environments import OURS
from benchmarks.options import NATIVE, Options, cores
from benchmarks.processes import Contender, once
from benchmarks.report import Goal, Section, Table, cell
from benchmarks.rounds import Measured, interleaved, ratio

SERVER = "BENCH_POSTGRESQL"
SHARE = 5  # of the rows, to see whether memory follows them
WORDS = """\
{rows:,} rows of eight columns from one table to another on one server, which has the same {cores} cores; microseconds
per row, medians; the peak is that of the client. The plain copy is `COPY` out and in, both binary, piece by piece.
`{server}` names a server on which databases can be made."""


def section(options: Options) -> Section:
    """Measure; return the part of the report."""
    if SERVER not in os.environ:
        return Section("SQL", f"Not measured: `{SERVER}` names no server.")
    url = _database()
    few = max(options.rows // SHARE, 1)
    for rows in (few, options.rows):
        once("sql:fill", url=url, table=f"customers_{rows}", rows=rows)
    outcomes = interleaved(
        [
            _contender("COPY out and in", "sql:copy", url, options.rows),
            _contender("policy", "sql:job", url, options.rows, policy="policy.yaml"),
            _contender("a policy that keeps all", "sql:job", url, options.rows, policy="keep.yaml"),
            _contender(f"policy, {few:,} rows", "sql:job", url, few, policy="policy.yaml"),
        ],
        options,
    )
    _drop(url)
    plain, policy, keep, fewer = outcomes
    return Section(
        "SQL",
        WORDS.format(rows=options.rows, cores=cores(), server=SERVER),
        [
            Table(
                ("contender", "time", "to COPY", "CPU of the client", "peak MB"),
                [_row(each, plain) for each in outcomes],
            )
        ],
        [
            Goal("policy to COPY, time", partial(ratio, policy, plain, "seconds"), 1.5, at_most=True),
            Goal("keeping all to COPY, time", partial(ratio, keep, plain, "seconds"), 1.5, at_most=True),
            Goal(f"peak to that at {few:,} rows", lambda: policy.peak / fewer.peak, 1.1, at_most=True),
        ],
    )


def _contender(name: str, task: str, url: str, rows: int, **more: str) -> Contender:
    arguments = {"url": url, "source": f"customers_{rows}", "target": f"out_{secrets.token_hex(4)}", **more}
    return Contender(name, task, arguments, rows, OURS, cores(), NATIVE)


def _row(outcome: Measured, plain: Measured) -> tuple[str, ...]:
    if outcome.missing:
        return outcome.contender.name, f"not available: {outcome.missing}", "-", "-", "-"
    return (
        outcome.contender.name,
        cell(lambda: outcome.per_row("seconds") * 1e6),
        cell(lambda: ratio(outcome, plain, "seconds")),
        cell(lambda: outcome.per_row("cpu") * 1e6),
        cell(lambda: outcome.peak / 1e6),
    )


def _database() -> str:
    import psycopg

    server, name = os.environ[SERVER], f"bench_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.rpartition('/')[0]}/{name}"


def _drop(url: str) -> None:
    import psycopg

    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")
