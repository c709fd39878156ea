"""Row conditions as filters of Spark."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from cape_airflow import apply, compile_plan, load_policy
from cape_airflow import spark as on_spark
from cape_airflow.engines.spark.division import divide

pytestmark = pytest.mark.integration

EXACT = [
    "i < 2",
    "i >= 2 or s = 'b'",
    "not (i >= 2 or s = 'b')",
    "not (i > 1 and (b or f < 2.0))",
    "f > 1.5",
    "not f = 1.5",
    "f is null",
    "f is not null",
    "not b",
    "b = true",
    "s in ('a', 'é', '😀')",
    "not (s in ('a', 'b') or i in (2, 3))",
    "s > 'a' and s != '\ue000'",
    "d < '1970-01-01' or d is null",
    "i = 1 or (i = 2 and not (s is null or b))",
]
LEFT_TO_KERNELS = ["s like 'a%'", "m > 1.5", "i < 1.5", "i < j", "t < '2020-01-01T00:00:00Z'", "g > 0.5"]
ROWS = 5**3


@pytest.fixture(scope="module")
def table() -> pa.Table:
    def cycle(values: list, length: int, kind: pa.DataType) -> pa.Array:
        return pa.array([values[n // length % len(values)] for n in range(ROWS)], kind)

    nan = float("nan")
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "i": cycle([1, 2, None, 3, -(2**31)], 1, pa.int32()),
            "j": cycle([1, 1, 2, None, 3], 1, pa.int32()),
            "s": cycle(["a", "b", None, "😀", "\ue000"], 5, pa.string()),
            "f": cycle([nan, None, 1.5, -0.0, float("inf")], 25, pa.float64()),
            "g": cycle([nan, None, 1.5], 3, pa.float32()),
            "b": cycle([True, None, False], 1, pa.bool_()),
            "d": cycle([dt.date(1969, 12, 31), None, dt.date(1970, 1, 1)], 7, pa.date32()),
            "m": cycle([1, None, 2], 2, pa.decimal128(10, 2)),
            "t": cycle([0, None, 2**51], 2, pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture(scope="module")
def source(spark, table, tmp_path_factory):
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("filters") / "table.parquet"
    pq.write_table(table, path)
    return spark.read.parquet(str(path))


def suppressing(condition: str, version: int = 2) -> str:
    if version == 1:
        rule = f'{{match: {{name: id}}, actions: [{{transform: {{type: row-redact, condition: "{condition}"}}}}]}}'
        return f"label: x\nversion: 1\nrules:\n  - {rule}\n"
    return f'label: x\nversion: 2\ndefault: keep\nrules:\n  - {{where: "{condition}", actions: [suppress-record]}}\n'


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("condition", [*EXACT, *LEFT_TO_KERNELS])
def test_spark_suppresses_the_rows_that_the_kernels_do(source, table, condition, version) -> None:
    text = suppressing(condition, version)
    left = {row["id"] for row in on_spark.apply(text, source).select("id").collect()}
    assert left == set(apply(text, table)["id"].to_pylist())


def test_every_exact_condition_is_a_filter_and_no_other_is(spark, table) -> None:
    def filters(condition: str) -> int:
        return len(divide(compile_plan(load_policy(suppressing(condition)), table.schema)).filters)

    assert [filters(condition) for condition in EXACT] == [1] * len(EXACT)
    assert [filters(condition) for condition in LEFT_TO_KERNELS] == [0] * len(LEFT_TO_KERNELS)


def test_a_filter_reaches_the_source(source, capsys) -> None:
    on_spark.apply(suppressing("i < 2 and s = 'b'"), source).explain()
    pushed = next(line for line in capsys.readouterr().out.splitlines() if "PushedFilters" in line)
    assert "GreaterThanOrEqual(i,2)" in pushed
    assert "IsNull(s)" in pushed
