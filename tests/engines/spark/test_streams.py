"""Policies on streams."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from cape_airflow import apply as apply_here
from cape_airflow import load_policy
from cape_airflow import spark as on_spark
from cape_airflow.errors import DataError

pytestmark = pytest.mark.integration

HASH = "{match: {name: name}, actions: [{transform: {type: keyed-hash, key: {ref: customers}}}]}"


@pytest.fixture
def stream(spark, customers, tmp_path):
    for part in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        table = customers(90).slice(30 * part, 30).drop_columns("country")
        pq.write_table(table, tmp_path / "in" / f"{part}.parquet")
    batch = spark.read.parquet(str(tmp_path / "in"))
    return spark.readStream.schema(batch.schema).option("maxFilesPerTrigger", 1).parquet(str(tmp_path / "in"))


@pytest.mark.parametrize("condition", ["age < 18", "name like '%7'"])
def test_a_stream_comes_out_as_the_same_rows_would_at_once(
    stream, customers, policy, provider, tmp_path, condition
) -> None:
    text = policy(HASH, f'{{where: "{condition}", actions: [suppress-record]}}')
    query = (
        on_spark.apply(text, stream, provider)
        .writeStream.format("parquet")
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(tmp_path / "out"))
    )
    assert query.awaitTermination(60)
    found = pq.read_table(tmp_path / "out").sort_by("salary")
    wanted = apply_here(text, customers(90).drop_columns("country"), provider)
    assert found.num_rows
    assert found.select(wanted.column_names).cast(wanted.schema).equals(wanted)


def test_guarantees_of_a_stream_are_refused(stream, policy, provider) -> None:
    text = policy(HASH, more="guarantees: [{type: k-anonymity, k: 2, quasi_identifiers: [age]}]")
    with pytest.raises(DataError, match="a stream has no end"):
        on_spark.apply(text, stream, provider)


def test_counts_of_a_stream_are_refused(stream, policy, ring) -> None:
    plan = on_spark.compile_for(load_policy(policy(HASH)), stream)
    with pytest.raises(DataError, match="stream"):
        on_spark.counted(plan, ring, stream)
