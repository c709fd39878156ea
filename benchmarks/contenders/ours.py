"""Our own engine, with the kernels that `CAPE_KERNELS` and `CAPE_NATIVE_ISA` choose."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.contenders.columns import arrays, batches
from cape_airflow import KeyRing, compile_plan, kernels, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import BoundPlan, run_local
from cape_airflow.keys import Key, Secret

POLICIES = Path(__file__).parent.parent
POLICY = POLICIES / "policy.yaml"
JOB = "0" * 32

KEY = bytes(range(64))
KERNELS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "hmac_sha256": partial(kernels.hmac_sha256, key=KEY),
    "aes_siv": partial(kernels.aes_siv_encrypt_hex, key=KEY, associated_data=[b"1", b"benchmark"]),
    "ff1": partial(kernels.ff1_encrypt, key=KEY[:32], alphabet="0123456789"),
}


class BenchmarkKey:
    """A provider of one fixed key: this data is invented."""

    def get(self, name: str) -> Key | None:
        """Return the key."""
        return Key(name, {1: Secret(KEY)})

    def names(self) -> tuple[str, ...]:
        """Return its name."""
        return ("benchmark",)


def kernel(source: str, column: str, rows: int, kernel: str) -> Callable[[], None]:
    """Run one kernel over a column in memory, batch by batch as an engine does."""
    parts, run = arrays(source, column, rows), KERNELS[kernel]

    def pass_over() -> None:
        for part in parts:
            run(part)

    return pass_over


def technique(source: str, column: str, rows: int, transform: dict[str, Any]) -> Callable[[], None]:
    """Run a policy of one transformation over a column in memory, batch by batch as an engine does."""
    rule = {"match": {"name": column}, "actions": [{"transform": transform}]}
    policy = json.dumps({"label": "technique", "version": 2, "domain": "benchmark", "rules": [rule]})
    parts = batches(source, column, rows)
    bound = BoundPlan(compile_plan(load_policy(policy), parts[0].schema), KeyRing(BenchmarkKey()))

    def run() -> None:
        for part in parts:
            bound.run(part)

    return run


def job(source: str, target: str, policy: str = "policy.yaml", compression: str | None = None) -> Callable[[], int]:
    """De-identify a file; a round returns the rows written.

    Args:
        source: a Parquet file.
        target: another one.
        policy: the name of a file of this folder's parent.
        compression: the codec of all columns; None for what we choose.
    """
    text = (POLICIES / policy).read_text()
    options = {"compression": compression}

    def run() -> int:
        opened = open_source(source)
        plan = compile_plan(load_policy(text), opened.schema)
        sink = open_sink(target, job_id=JOB, options=options)
        finish = run_local(plan, KeyRing(BenchmarkKey()), opened, sink, job_id=JOB)
        return finish.progress.rows_out

    return run
