"""A 10-million-row Parquet through the local engine: rows a second and peak memory, beside a plain copy.

    .venv/bin/python benchmarks/memory.py [--rows 10000000] [--folder DIR] [--workers N]

Every run is a process of its own, so that its peak is its own. Exit status 1 where the peak is 1 GB or more.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cape_airflow import KeyRing, compile_plan, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import run_local
from cape_airflow.keys import Key, Secret

LIMIT_BYTES = 1 << 30
CHUNK_ROWS = 250_000

POLICY = """
label: benchmark
version: 2
domain: benchmark
rules:
  - match: {name: email}
    actions: [{transform: {type: keyed-hash, key: {ref: benchmark}}}]
  - match: {name: card}
    actions: [{transform: {type: deterministic-encryption, key: {ref: benchmark}}}]
  - match: {name: salary}
    actions: [{transform: {type: round, precision: -3}}]
  - match: {name: seen}
    actions: [{transform: {type: date-truncate, unit: month}}]
  - match: {name: phone}
    actions: [{transform: {type: character-mask, keep_last: 4}}]
  - match: {name: note}
    actions: [{transform: {type: suppress-value}}]
  - match: {name: ssn}
    actions: [drop]
  - match: {name: country}
    keep: {reason: not identifying}
"""


class BenchmarkKey:
    """A provider of one fixed key: this data is invented."""

    def get(self, name: str) -> Key | None:
        """Return the key."""
        return Key(name, {1: Secret(bytes(range(64)))})

    def names(self) -> tuple[str, ...]:
        """Return its name."""
        return ("benchmark",)


def customers(start: int, rows: int, choose: np.random.Generator) -> pa.Table:
    """Return that many invented customers; 2 % of the values are null."""
    number = pa.array(np.arange(start, start + rows))
    digits = pc.utf8_lpad(number.cast(pa.string()), 10, "0")
    days = choose.integers(0, 3650 * 86400, rows) * 1_000_000
    columns = {
        "email": pc.binary_join_element_wise("customer.", digits, "@example.com", ""),
        "card": pc.binary_join_element_wise("411111", digits, ""),
        "salary": pa.array(choose.lognormal(10.5, 0.6, rows)),
        "seen": pa.array(days + int(dt.datetime(2016, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000).cast(
            pa.timestamp("us")
        ),
        "phone": pc.binary_join_element_wise("+41", digits, ""),
        "note": pc.binary_join_element_wise(
            "called on day ", pa.array(choose.integers(1, 999, rows)).cast(pa.string()), ""
        ),
        "ssn": digits,
        "country": pa.array(choose.choice(["CH", "DE", "FR", "IT"], rows)),
    }
    missing = {name: pa.array(choose.random(rows) < 0.02) for name in columns}
    return pa.table({name: pc.if_else(missing[name], None, column) for name, column in columns.items()})


def make(source: Path, rows: int) -> None:
    """Write the input in row groups of 250,000 rows."""
    choose = np.random.default_rng(1)
    with pq.ParquetWriter(source, customers(0, 1, choose).schema) as writer:
        for start in range(0, rows, CHUNK_ROWS):
            writer.write_table(customers(start, min(CHUNK_ROWS, rows - start), choose))


def policy_run(source: Path, target: Path, workers: int | None) -> int:
    """De-identify; return the rows written."""
    opened = open_source(str(source))
    plan = compile_plan(load_policy(POLICY), opened.schema)
    sink = open_sink(str(target), job_id="0" * 32)
    finish = run_local(plan, KeyRing(BenchmarkKey()), opened, sink, job_id="0" * 32, workers=workers)
    return finish.progress.rows_out


def plain_copy(source: Path, target: Path, workers: int | None) -> int:
    """Copy with pyarrow alone, in the same batches and row groups; return the rows written."""
    file = pq.ParquetFile(source, pre_buffer=False)  # with it, memory grows with the file
    with pq.ParquetWriter(target, file.schema_arrow) as writer:
        for batch in file.iter_batches(batch_size=131_072):
            writer.write_batch(batch)
    return int(file.metadata.num_rows)


RUNS: dict[str, Callable[[Path, Path, int | None], int]] = {"plain copy": plain_copy, "policy": policy_run}


def measure(name: str, source: Path, target: Path, workers: int | None) -> dict[str, float]:
    """Do one run in this process, and return its rows, seconds, CPU seconds and peak bytes."""
    started = time.monotonic()
    rows = RUNS[name](source, target, workers)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rows": rows,
        "seconds": time.monotonic() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * 1024,
    }


def compare(folder: Path, rows: int, workers: int | None) -> bool:
    """Make the data, run each in a child process, print the figures; return whether memory kept within the limit."""
    source = folder / "in.parquet"
    # Not here: a child's peak would begin at that of its parent.
    subprocess.run([sys.executable, __file__, "--make", "--rows", str(rows), "--folder", str(folder)], check=True)
    print(f"{rows:,} rows x 8 columns, {source.stat().st_size / 1e6:,.0f} MB of Parquet")
    results: dict[str, dict[str, float]] = {}
    for name in RUNS:
        command = [sys.executable, __file__, "--run", name, "--folder", str(folder)]
        command += ["--workers", str(workers)] if workers else []
        child = subprocess.run(command, capture_output=True, text=True, check=True)
        result = results[name] = json.loads(child.stdout)
        print(
            f"{name:>10}: {result['rows'] / result['seconds']:>9,.0f} rows/s  {result['seconds']:6.1f} s  "
            f"CPU {result['cpu']:6.1f} s  peak {result['peak'] / 1e6:5,.0f} MB"
        )
    ratio = results["policy"]["cpu"] / results["plain copy"]["cpu"]
    print(f"the policy costs {ratio:.1f} times the CPU of the copy")
    return results["policy"]["peak"] < LIMIT_BYTES


def main() -> int:
    """Run the benchmark, or (with --run) one of its children."""
    parser = argparse.ArgumentParser(description="Rows a second and peak memory of the local engine.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(options.folder / "in.parquet", options.rows)
        return 0
    if options.run:
        target = options.folder / f"{options.run.replace(' ', '-')}.parquet"
        print(json.dumps(measure(options.run, options.folder / "in.parquet", target, options.workers)))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        return 0 if compare(Path(folder), options.rows, options.workers) else 1


if __name__ == "__main__":
    sys.exit(main())
