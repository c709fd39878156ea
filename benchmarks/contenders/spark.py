"""Laps in one session of Spark, which is warm: each reads Parquet files, applies a policy or none, and writes Parquet.

Peers have environments of an older Python and Spark, so this module uses nothing that these do not know.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

MASTER, MEMORY = "local[2]", "2g"
WARM_FILES, WARM_SECONDS = 4, 12
"""How long each kind of lap runs before the first that counts: the JVM compiles what it has run for a while."""
QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
WHOLE_FILES = {"spark.sql.files.maxPartitionBytes": "256m", "spark.sql.files.openCostInBytes": "256m"}
"""Each file is a partition of its own: the next one has no room in it."""

_SPENT: dict[int, float] = {}
"""CPU seconds of each process below this one, as it was seen last: Spark ends workers that are idle for a minute."""

Lap = dict[str, Any]
Apply = Callable[[str, DataFrame], DataFrame]
Round = Callable[[], list[dict[str, float]]]


def ours(laps: list[Lap], target: str) -> Round:
    """Do laps with our policies.

    Args:
        laps: each with `files`, their `rows` and `columns`, the text of a `policy` or None for a plain copy, and
            `partitions` to join the files to, or None for one each.
        target: a folder that is made and removed by each.
    """
    from benchmarks.contenders.ours import BenchmarkKey
    from cape_airflow import KeyRing, spark

    keys = KeyRing(BenchmarkKey())
    return _round(laps, target, lambda policy, frame: spark.apply(policy, frame, keys))


def cape(laps: list[Lap], target: str) -> Round:
    """Do laps with policies of cape-dataframes, see `ours`."""
    import cape_dataframes

    def apply(policy: str, frame: DataFrame) -> DataFrame:
        applied: DataFrame = cape_dataframes.apply_policy(cape_dataframes.parse_policy(json.loads(policy)), frame)
        return applied

    return _round(laps, target, apply)


def _round(laps: list[Lap], target: str, apply: Apply) -> Round:
    """Warm a session up, with little of every kind of lap; return what does all laps, and measures each."""
    spark = _session()
    for lap in {lap["policy"]: lap for lap in laps}.values():
        started = time.perf_counter()
        while time.perf_counter() - started < WARM_SECONDS:
            _run(spark, {**lap, "files": lap["files"][:WARM_FILES]}, target, apply)
    return lambda: [_measured(spark, lap, target, apply) for lap in laps]


def _session() -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(MASTER).config("spark.driver.memory", MEMORY)
    for name, value in {**QUIET, **WHOLE_FILES}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _measured(spark: SparkSession, lap: Lap, target: str, apply: Apply) -> dict[str, float]:
    started, spent = time.perf_counter(), _cpu()
    rows = _run(spark, lap, target, apply)
    cpu, seconds = _cpu() - spent, time.perf_counter() - started
    if rows != lap["rows"]:
        raise ValueError(f"wrote {rows:,} rows instead of {lap['rows']:,}")
    return {"seconds": seconds, "cpu": cpu}


def _run(spark: SparkSession, lap: Lap, target: str, apply: Apply) -> int:
    """Do a lap; return the rows that were written, as the files' footers tell."""
    frame = spark.read.parquet(*lap["files"]).select(*lap["columns"])
    if lap["partitions"]:
        frame = frame.coalesce(lap["partitions"])
    (apply(lap["policy"], frame) if lap["policy"] else frame).write.parquet(target)
    rows = sum(int(pq.read_metadata(path).num_rows) for path in Path(target).glob("*.parquet"))
    shutil.rmtree(target)
    return rows


def _cpu() -> float:
    """Return the CPU seconds of this process and of all below it, also of workers that Spark has ended since."""
    here = psutil.Process()
    for process in [here, *here.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            times = process.cpu_times()
            _SPENT[process.pid] = times.user + times.system
    return sum(_SPENT.values())
