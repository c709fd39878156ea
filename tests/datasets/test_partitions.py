"""Columns in folder names."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cape_airflow.datasets.partitions import hive_partitions


def test_numbers_are_int32_and_the_rest_is_text() -> None:
    found = hive_partitions(["/d/year=2025/c=a%20b/x.csv", "/d/year=2026/c=__HIVE_DEFAULT_PARTITION__/x.csv"], "/d")
    assert found.schema == pa.schema([("year", pa.int32()), ("c", pa.string())])
    assert found.values == ({"year": 2025, "c": "a b"}, {"year": 2026, "c": None})


def test_numbers_that_would_lose_zeros_are_text() -> None:
    found = hive_partitions(["/d/zip=00501/x.csv", "/d/zip=10001/x.csv"], "/d")
    assert found.schema == pa.schema([("zip", pa.string())])
    assert [value["zip"] for value in found.values] == ["00501", "10001"]


@pytest.mark.parametrize("path", ["/d/year=2025/x.csv", "/d/x.csv"])
def test_a_file_alone_has_none(path: str) -> None:
    assert hive_partitions([path], path).schema.names == []


def test_a_file_gets_its_constants() -> None:
    found = hive_partitions(["/d/y=1/x.csv", "/d/y=__HIVE_DEFAULT_PARTITION__/x.csv"], "/d")
    assert found.columns(0, ["y"], 2) == [pa.array([1, 1], pa.int32())]
    assert found.columns(1, ["y"], 2) == [pa.nulls(2, pa.int32())]
