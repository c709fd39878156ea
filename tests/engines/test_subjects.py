"""Noise by subject, through every engine: all dates of a patient move by the same amount."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow import KeyRing, Plan, apply, compile_plan, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.engines import BoundPlan, run_local
from cape_airflow.engines.counting import count_rows
from cape_airflow.errors import ValueRefused

JOB = "0123456789abcdef" * 2
SHIFT = (
    "{transform: {type: add-noise, min: -180, max: 180, unit: day, consistent: true, key: {ref: customers}, "
    "subject: patient}}"
)
POLICY = f"""
version: 2
domain: tests
rules:
  - where: patient is null
    actions: [suppress-record]
  - match: {{name: patient}}
    actions: [drop]
  - match: {{name: [admitted, discharged]}}
    actions: [{SHIFT}]
"""
HASHED = POLICY.replace("[drop]", "[{transform: {type: keyed-hash, key: {ref: customers}}}]")


def visits(rows: int) -> pa.Table:
    """Invented stays of seven patients, each some days long; in every ninth row the patient is not known."""
    admitted = [dt.datetime(2020, 1, 1) + dt.timedelta(days=11 * row) for row in range(rows)]
    patients = [None if row % 9 == 8 else f"patient {row % 7}" for row in range(rows)]
    return pa.table(
        {
            "admitted": pa.array(admitted, pa.date32()),
            "patient": pa.array(patients, pa.string()),
            "discharged": pa.array([day + dt.timedelta(days=3, hours=5) for day in admitted], pa.timestamp("us")),
        }
    )


def planned(text: str = POLICY) -> Plan:
    return compile_plan(load_policy(text), visits(1).schema)


def run(plan: Plan, keys: KeyRing, table: pa.Table, size: int = 1000) -> pa.Table:
    bound = BoundPlan(plan, keys)
    return pa.Table.from_batches([bound.run(batch) for batch in table.to_batches(size)], plan.output_schema)


@pytest.fixture(scope="session")
def shifted(keys: KeyRing) -> pa.Table:
    """What comes out for 200 rows."""
    return run(planned(), keys, visits(200))


def test_all_dates_of_a_patient_move_by_the_same_days_and_the_lengths_of_stays_are_kept(shifted: pa.Table) -> None:
    known = [row for row in visits(200).to_pylist() if row["patient"] is not None]
    shifts: dict[str, set[int]] = {}
    for before, after in zip(known, shifted.to_pylist(), strict=True):
        moved = shifts.setdefault(before["patient"], set())
        moved |= {(after["admitted"] - before["admitted"]).days, (after["discharged"] - before["discharged"]).days}
    assert len(shifts) == 7
    assert all(len(moved) == 1 for moved in shifts.values())
    assert len(set.union(*shifts.values())) > 3
    assert shifted.column_names == ["admitted", "discharged"]


@given(size=st.integers(1, 60), rows=st.integers(0, 60))
def test_the_batches_make_no_difference(keys: KeyRing, size: int, rows: int, shifted: pa.Table) -> None:
    once = run(planned(), keys, visits(rows), size)
    assert once.equals(shifted.slice(0, once.num_rows))


def test_the_subject_is_taken_as_it_came_in_whatever_earlier_steps_make_of_it(keys: KeyRing, shifted: pa.Table) -> None:
    hashed = run(planned(HASHED), keys, visits(200))
    assert hashed.drop_columns("patient").equals(shifted)
    assert hashed["patient"][0].as_py().startswith("t1_")
    version_1 = (
        "rules:\n"
        "  - {match: {name: patient}, actions: [{transform: {type: suppress-value}}, "
        "{transform: {type: row-redact, condition: admitted is null}}, drop]}\n"
        f"  - {{match: {{name: admitted}}, actions: [{SHIFT}]}}\n"
        f"  - {{match: {{name: discharged}}, actions: [{SHIFT}]}}\n"
    )
    known = visits(200).filter(pa.compute.field("patient").is_valid())
    without_domain = run(planned(POLICY.replace("domain: tests", "")), keys, known)
    assert run(planned(version_1), keys, known).equals(without_domain)


def test_values_of_the_subject_are_counted_as_they_came_in(keys: KeyRing) -> None:
    bound = BoundPlan(planned(HASHED), keys)
    bound.run(visits(90).to_batches()[0])
    counts = {column.name: (column.values, column.nulls) for column in bound.columns()}
    assert counts == dict.fromkeys(["admitted", "patient", "discharged"], (80, 0))


def test_rows_without_a_subject_are_refused_with_the_way_out(keys: KeyRing) -> None:
    text = POLICY.replace("  - where: patient is null\n    actions: [suppress-record]\n", "")
    with pytest.raises(ValueRefused) as caught:
        run(planned(text), keys, visits(20))
    assert str(caught.value).startswith(
        "rules[1].actions[0].transform: column `admitted`, `add-noise`: 2 values refused"
    )
    assert "by a rule with `where: patient is null`" in str(caught.value)
    assert "patient 0" not in str(caught.value)


def test_rows_are_counted_past_noise_by_subject(keys: KeyRing) -> None:
    dates = "{type: date-perturbation, frequency: [YEAR, DAY], min: [-1, -5], max: [1, 5], seed: 1}"
    text = (
        f"rules:\n  - {{match: {{name: admitted}}, actions: [{SHIFT}]}}\n"
        "  - {match: {name: patient}, actions: [{transform: {type: row-redact, condition: patient = 'patient 3'}}]}\n"
        f"  - {{match: {{name: discharged}}, actions: [{{transform: {dates}}}]}}\n"
    )
    known = visits(70).filter(pa.compute.field("patient").is_valid())
    gone = known["patient"].to_pylist().count("patient 3")
    counts = count_rows(planned(text), keys, known.num_rows, lambda: known.to_batches(7))
    assert counts == {1: known.num_rows - gone}


@pytest.mark.parametrize("kind", ["pandas", "pandas categories", "polars", "polars categories", "table", "batch"])
def test_frames_of_every_kind_get_the_same_noise(kind: str, keys: KeyRing, shifted: pa.Table) -> None:
    table = visits(200)
    frames = {
        "pandas": table.to_pandas,
        "pandas categories": lambda: table.to_pandas().astype({"patient": "category"}),
        "polars": lambda: pl.from_arrow(table),
        "polars categories": lambda: pl.from_arrow(table).with_columns(pl.col("patient").cast(pl.Categorical)),
        "table": lambda: table,
        "batch": lambda: table.to_batches()[0],
    }
    result = apply(POLICY, frames[kind](), keys)
    admitted = result["admitted"].to_list() if isinstance(result, pl.DataFrame) else list(result["admitted"])
    days = [day.as_py() if isinstance(day, pa.Scalar) else pd.Timestamp(day).date() for day in admitted]
    assert days == shifted["admitted"].to_pylist()


@pytest.mark.parametrize(("batch_rows", "workers"), [(7, 2), (64, 1), (1000, 2)])
def test_a_local_run_gives_the_same_noise(
    batch_rows: int, workers: int, tmp_path: Path, keys: KeyRing, shifted: pa.Table
) -> None:
    pq.write_table(visits(200), tmp_path / "in.parquet")
    source, sink = open_source(f"{tmp_path}/in.parquet"), open_sink(f"{tmp_path}/out.parquet", job_id=JOB)
    finish = run_local(planned(), keys, source, sink, job_id=JOB, batch_rows=batch_rows, workers=workers)
    assert pq.read_table(tmp_path / "out.parquet").replace_schema_metadata(None).equals(shifted)
    assert any("noise by `patient`" in warning for warning in finish.warnings)


RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import OneKey
from test_subjects import planned, run, visits
from cape_airflow import KeyRing
from cape_airflow.kernels import implementation
print(implementation())
print(run(planned(), KeyRing(OneKey()), visits(200)).to_pylist())
"""


@pytest.mark.integration
def test_both_implementations_of_the_kernels_give_the_same_noise(
    shifted: pa.Table, outside_environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", RUN, os.path.dirname(__file__)]
    environment = {**outside_environment, "CAPE_KERNELS": "python"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    assert done.stdout.splitlines() == ["python", str(shifted.to_pylist())]
