"""Guarantees, measured on the output."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cape_airflow import KeyRing, apply, compile_plan, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import run_local
from cape_airflow.errors import GuaranteeBroken

POLICY = """
label: test
version: 2
rules:
  - match: {name: age}
    actions: [{transform: {type: round, precision: -1}}]
guarantees:
  - {type: k-anonymity, k: 2, quasi_identifiers: [age]}
"""
KEPT, BROKEN = pa.table({"age": [21, 22, 38, 41]}), pa.table({"age": [21, 22, 41]})


def test_the_output_counts_not_the_input() -> None:
    assert apply(POLICY, KEPT)["age"].to_pylist() == [20, 20, 40, 40]


def test_a_frame_that_does_not_keep_a_guarantee_is_not_returned() -> None:
    with pytest.raises(GuaranteeBroken, match="2-anonymity over age does not hold: 1 rows"):
        apply(POLICY, BROKEN)


def test_an_output_that_does_not_keep_a_guarantee_does_not_appear(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(BROKEN, tmp_path / "in.parquet")
    source, sink = open_source(str(tmp_path / "in.parquet")), open_sink(str(tmp_path / "out.parquet"), job_id="a" * 32)
    plan = compile_plan(load_policy(POLICY), source.schema)
    with pytest.raises(GuaranteeBroken):
        run_local(plan, KeyRing(), source, sink, job_id="a" * 32, batch_rows=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
