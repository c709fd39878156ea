"""The default engine: streaming, ordered, bounded, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow import KeyRing, Plan, compile_plan, load_policy
from cape_airflow.datasets import open_sink, open_source
from cape_airflow.datasets.sink import FileSink
from cape_airflow.datasets.source import FileSource
from cape_airflow.engines import BoundPlan, failed, local, run_local
from cape_airflow.errors import DatasetError, KeyUnavailable, NotApproved, ValueRefused
from cape_airflow.jobs import JobFinish, JobState, Progress

JOB = "0123456789abcdef" * 2
NOISE = (
    "{match: {name: a}, actions: [{transform: {type: numeric-perturbation, dtype: Double, min: 0, max: 9, seed: 7}}]}"
)


@pytest.fixture
def run(tmp_path: Path, plan: Plan, keys: KeyRing) -> Callable[..., JobFinish]:
    """Return a function that writes a table to ``in.parquet`` and runs the plan over it into ``out.parquet``."""

    def run(table: pa.Table, plan: Plan = plan, target: str = "out.parquet", **kwargs: object) -> JobFinish:
        pq.write_table(table, tmp_path / "in.parquet")
        source = open_source(str(tmp_path / "in.parquet"))
        sink = open_sink(f"{tmp_path}/{target}", job_id=JOB)
        return run_local(plan, keys, source, sink, job_id=JOB, **kwargs)

    return run


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"in.parquet"}


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("cape-read", "cape-transform"))]


def test_a_run_gives_what_the_bound_plan_gives_with_its_provenance_and_counts(
    run, tmp_path, plan, keys, customers
) -> None:
    finish = run(customers(1000), batch_rows=64)
    bound = BoundPlan(plan, keys)
    expected = bound.run(customers(1000).combine_chunks().to_batches()[0])
    output = pq.read_table(tmp_path / "out.parquet")
    assert output.to_pylist() == expected.to_pylist()
    assert output.schema.metadata == {
        b"cape.policy_digest": plan.policy_digest.encode(),
        b"cape.job_id": JOB.encode(),
    }
    assert (finish.state, finish.columns, finish.error) == (JobState.SUCCEEDED, bound.columns(), None)
    progress = finish.progress
    assert (progress.rows_in, progress.rows_out, progress.rows_total) == (1000, 900, 1000)
    assert progress.bytes_out == (tmp_path / "out.parquet").stat().st_size
    assert 0 < progress.bytes_in <= (tmp_path / "in.parquet").stat().st_size
    assert threads() == []


@given(
    rows=st.integers(0, 200),
    groups=st.integers(1, 90),
    batch_rows=st.integers(1, 300),
    workers=st.integers(1, 4),
    suffix=st.sampled_from(["parquet", "csv", "jsonl", "arrow"]),
)
def test_the_bytes_depend_on_neither_groups_nor_batches_nor_workers(
    tmp_path_factory, plan, keys, customers, rows, groups, batch_rows, workers, suffix
) -> None:
    folder = tmp_path_factory.mktemp("run")
    table = customers(rows).set_column(6, "country", customers(rows)["country"].cast(pa.string()))
    plan = plan_of(plan, table.schema)
    outputs = []
    for name, settings in (("a", (1000, 65536, 1)), ("b", (groups, batch_rows, workers))):
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=settings[0])
        source, target = open_source(str(folder / f"{name}.parquet")), folder / f"{name}-out.{suffix}"
        sink = open_sink(str(target), job_id=JOB)
        run_local(plan, keys, source, sink, job_id=JOB, batch_rows=settings[1], workers=settings[2])
        outputs.append(target.read_bytes())
    assert outputs[0] == outputs[1]


def plan_of(plan: Plan, schema: pa.Schema) -> Plan:
    """Return the plan for a schema whose kept columns have another type."""
    import dataclasses

    kept = [schema.field(field.name) if field.name == "country" else field for field in plan.output_schema]
    return dataclasses.replace(plan, input_schema=schema, output_schema=pa.schema(kept))


@pytest.mark.parametrize("workers", [1, 4])
def test_seeded_noise_is_the_same_with_any_number_of_workers(run, tmp_path, planned, workers: int) -> None:
    table = pa.table({"a": [0.0] * 500})
    run(table, planned(table.schema, NOISE), workers=workers, batch_rows=7)
    expected = BoundPlan(planned(table.schema, NOISE), KeyRing()).run(table.to_batches()[0])
    assert pq.read_table(tmp_path / "out.parquet")["a"].to_pylist() == expected["a"].to_pylist()


def test_the_last_question_comes_when_all_is_written_and_nothing_is_shown(run, tmp_path, customers) -> None:
    seen: list[set[str]] = []
    run(customers(10), before_commit=lambda: seen.append(files(tmp_path)))
    assert len(seen) == 1
    assert all(name.startswith(".out.parquet.cape-") for name in seen[0])


def refuse() -> None:
    raise NotApproved("revoked")


@pytest.mark.parametrize("target", ["out.parquet", "out/"])
def test_C9_a_policy_that_was_revoked_meanwhile_gives_no_output(run, tmp_path, customers, target: str) -> None:
    with pytest.raises(NotApproved, match="revoked"):
        run(customers(10), target=target, before_commit=refuse)
    assert files(tmp_path) == set()


def test_an_error_of_the_reader_leaves_nothing(tmp_path: Path, planned) -> None:
    (tmp_path / "in.jsonl").write_text('{"a": 1.5}\n' * 500_000 + '{"a": "S3CRET"}\n')
    source = open_source(str(tmp_path / "in.jsonl"))
    sink = open_sink(str(tmp_path / "out.parquet"), job_id=JOB)
    with pytest.raises(DatasetError, match="text stands where the first rows have numbers") as caught:
        run_local(planned(source.schema, NOISE), KeyRing(), source, sink, job_id=JOB)
    assert "S3CRET" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert files(tmp_path) == {"in.jsonl"}
    assert threads() == []


def test_the_first_error_in_the_order_of_the_rows_is_told_and_nothing_is_left(run, tmp_path, planned) -> None:
    table = pa.table({"a": [1.0] * 100 + [1e9] * 5 + [1.0] * 100 + [1e9] * 3})
    rule = "{match: {name: a}, actions: [{transform: {type: numeric-rounding, dtype: Byte, precision: 0}}]}"
    for _ in range(5):
        with pytest.raises(ValueRefused, match=r"rules\[0\].*column `a`, `numeric-rounding`: 5 values"):
            run(table, planned(table.schema, rule), batch_rows=105, workers=3)
    assert files(tmp_path) == set()
    assert threads() == []


def test_an_error_of_the_writer_leaves_nothing(run, tmp_path, customers, plan) -> None:
    nested = customers(5).set_column(6, "country", pa.array([[1]] * 5))
    with pytest.raises(DatasetError, match="which CSV cannot hold"):
        run(nested, plan_of(plan, nested.schema), target="out.csv")
    assert files(tmp_path) == set()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_run_that_is_stopped_leaves_nothing(run, tmp_path, customers, monkeypatch, stop) -> None:
    monkeypatch.setattr(local, "REPORT_SECONDS", 0.0)

    def on_progress(progress: Progress) -> None:
        if progress.rows_in > 300:
            raise stop

    with pytest.raises(stop):
        run(customers(1000), batch_rows=50, on_progress=on_progress)
    assert files(tmp_path) == set()
    assert threads() == []


def test_progress_is_told_from_the_callers_thread_and_only_grows(run, customers, monkeypatch) -> None:
    monkeypatch.setattr(local, "REPORT_SECONDS", 0.0)
    told: list[tuple[int, Progress]] = []
    finish = run(customers(1000), batch_rows=50, on_progress=lambda p: told.append((threading.get_ident(), p)))
    assert {ident for ident, _ in told} == {threading.get_ident()}
    steps = [(p.rows_in, p.rows_out, p.bytes_in, p.bytes_out, p.seconds) for _, p in told]
    assert steps == sorted(steps)
    assert told[-1][1] == finish.progress


def test_progress_is_told_about_once_a_second_and_at_the_end(run, customers) -> None:
    told: list[Progress] = []
    run(customers(1000), batch_rows=50, on_progress=told.append)
    assert 1 <= len(told) <= 3


def test_few_batches_are_under_way_at_a_time(tmp_path: Path, plan, keys, customers) -> None:
    class Watched(FileSource):
        read = 0

        def _batches(self, names: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
            for batch in super()._batches(names, batch_rows):
                self.read += 1
                yield batch

    pq.write_table(customers(1000), tmp_path / "in.parquet")
    source = open_source(str(tmp_path / "in.parquet"))
    source.__class__ = Watched
    most = written = 0

    class Slow(FileSink):
        def write(self, batch: pa.RecordBatch) -> None:
            nonlocal most, written
            most, written = max(most, source.read - written), written + 1
            super().write(batch)

    sink = open_sink(str(tmp_path / "out.parquet"), job_id=JOB)
    sink.__class__ = Slow
    run_local(plan, keys, source, sink, job_id=JOB, batch_rows=10, workers=2)
    assert written == 100
    assert 1 <= most <= 2 * 2 + 2


def test_a_missing_key_is_found_before_anything_is_read_or_written(tmp_path: Path, plan, customers) -> None:
    pq.write_table(customers(10), tmp_path / "in.parquet")
    source = open_source(str(tmp_path / "in.parquet"))
    before = source.bytes_read
    with pytest.raises(KeyUnavailable, match="no key `customers`"):
        run_local(plan, KeyRing(), source, open_sink(f"{tmp_path}/a/out.csv", job_id=JOB), job_id=JOB)
    assert source.bytes_read == before
    assert files(tmp_path) == set()


def test_P7_an_input_is_not_written_over(run, customers) -> None:
    with pytest.raises(DatasetError, match=r"in.parquet is part of what is read"):
        run(customers(10), target="in.parquet")


def test_another_storage_and_format_on_each_side(tmp_path: Path, plan, keys, customers) -> None:
    pq.write_table(customers(100), tmp_path / "in.parquet")
    source = open_source(str(tmp_path / "in.parquet"))
    for target in (f"memory://{tmp_path}/out.csv", f"memory://{tmp_path}/out/"):
        run_local(plan, keys, source, open_sink(target, job_id=JOB), job_id=JOB)
        assert sum(batch.num_rows for batch in open_source(target).batches()) == 90


def test_text_views_pass_a_suppression(run, tmp_path, planned) -> None:
    table = pa.table({"a": pa.array(["x" * 20, "y" * 20], pa.string_view()), "n": [1, 2]})
    source = tmp_path / "views.arrow"
    with pa.ipc.new_file(source, table.schema) as writer:
        writer.write_table(table)
    rule = "{match: {name: n}, actions: [{transform: {type: row-redact, condition: n = 2}}]}"
    sink = open_sink(str(tmp_path / "out.arrow"), job_id=JOB)
    run_local(planned(table.schema, rule), KeyRing(), open_source(str(source)), sink, job_id=JOB)
    assert open_source(str(tmp_path / "out.arrow")).row_count == 1
    assert b"yyyyyy" not in (tmp_path / "out.arrow").read_bytes()


def test_S3_a_failed_run_is_told_in_our_own_words_only() -> None:
    progress = Progress(rows_in=5)
    ours = failed(progress, ValueRefused("rules[0]: column `a`: 3 values"))
    assert (ours.state, ours.progress, ours.error) == (
        JobState.FAILED,
        progress,
        "ValueRefused: rules[0]: column `a`: 3 values",
    )
    assert failed(progress, RuntimeError("S3CRET")).error == "RuntimeError"


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_the_bytes_of_dictionary_columns_do_not_depend_on_the_batches(tmp_path, planned, suffix: str) -> None:
    random = np.random.default_rng(1)
    texts = pa.array([f"v{number}" for number in range(5000)])
    columns = {
        name: pa.DictionaryArray.from_arrays(pa.array(random.integers(0, 5000, 300_000), pa.int32()), texts)
        for name in ("kept", "cut")
    }
    table = pa.table({"n": random.integers(0, 90, 300_000), **columns})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=100_000)
    cut = "{match: {name: cut}, actions: [{transform: {type: character-mask, keep_last: 3}}]}"
    plan = compile_plan(
        load_policy(
            f"version: 2\ndefault: keep\nrules:\n  - {{where: n < 18, actions: [suppress-record]}}\n  - {cut}\n"
        ),
        open_source(str(tmp_path / "in.parquet")).schema,
    )
    outputs = set()
    for rows, workers in ((65536, 2), (10_000, 2), (7777, 1)):
        source = open_source(str(tmp_path / "in.parquet"))
        sink = open_sink(f"{tmp_path}/out.{suffix}", job_id=JOB)
        run_local(plan, KeyRing(), source, sink, job_id=JOB, batch_rows=rows, workers=workers)
        outputs.add((tmp_path / f"out.{suffix}").read_bytes())
    assert len(outputs) == 1
