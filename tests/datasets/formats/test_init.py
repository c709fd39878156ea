"""Formats by name and suffix."""

from __future__ import annotations

import pytest

from cape_airflow.datasets.formats import format_by_name, format_by_suffix
from cape_airflow.errors import DatasetError


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.parquet", "parquet"),
        ("b.CSV", "csv"),
        ("x.y.ndjson", "jsonl"),
        ("b.feather", "arrow"),
        ("b.pq", "parquet"),
    ],
)
def test_the_suffix_tells_the_format(path: str, name: str) -> None:
    assert format_by_suffix(path) == name


@pytest.mark.parametrize("path", ["a", "a.txt", "a.csv.gz", ".csv"])
def test_another_suffix_asks_for_the_format(path: str) -> None:
    with pytest.raises(DatasetError, match="give format: one of parquet, csv, jsonl, arrow"):
        format_by_suffix(path)


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(DatasetError, match="no format `parket`; did you mean `parquet`"):
        format_by_name("parket")


def test_an_option_of_another_format_is_refused() -> None:
    with pytest.raises(DatasetError, match="format arrow has no option `delimiter`"):
        format_by_name("arrow", {"delimiter": ";"})
