"""What becomes of the parts of a pandas or polars frame that Arrow does not have."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cape_airflow import apply
from cape_airflow.errors import SchemaMismatch

TOKENIZE = "{match: {name: x}, actions: [{transform: {type: tokenizer, key: k, max_token_len: 4}}]}"
ROUND = "{match: {name: x}, actions: [{transform: {type: numeric-rounding, dtype: %s, precision: 0}}]}"
TRUNCATE = "{match: {name: x}, actions: [{transform: {type: date-truncation, frequency: year}}]}"
TRUNCATE_2 = "{match: {name: x}, actions: [{transform: {type: date-truncate, unit: year}}]}"
REDACT = "{match: {name: n}, actions: [{transform: {type: row-redact, condition: n = 2}}]}"


def policy(*rules: str) -> str:
    return "label: test\nrules:" + "".join(f"\n  - {rule}" for rule in rules)


def test_the_index_stays_with_the_labels_of_the_rows_that_are_left() -> None:
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("b", 2)], names=["p", "q"])
    frame = pd.DataFrame({"x": ["u", "v", "w"], "n": [1, 2, 3]}, index=index)
    frame.columns.name = "columns"
    result = apply(policy(REDACT, TOKENIZE), frame)
    assert result.index.equals(index[[0, 2]])
    assert result.index.names == ["p", "q"]
    assert result.columns.name == "columns"


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("str", "str"),
        (object, "object"),
        ("string", "string"),
        ("category", "category"),
        (pd.ArrowDtype(pa.string()), "string[pyarrow]"),
    ],
)
def test_text_gets_the_dtype_of_the_text_it_replaces(dtype: object, expected: str) -> None:
    frame = pd.DataFrame({"x": pd.Series(["u", None, "u"], dtype=dtype)})
    result = apply(policy(TOKENIZE), frame)["x"]
    assert str(result.dtype) == expected
    assert result.isna().tolist() == [False, True, False]
    assert result[0] == result[2]
    assert len(result[0]) == 4


@pytest.mark.parametrize(
    ("values", "dtype", "to", "expected"),
    [
        ([1.4, 2.6], "float64", "Float", "float32"),
        ([1.4, 2.6], "float64", "Integer", "int32"),
        ([1.4, None], "float64", "Integer", "Int32"),
        ([1.4, None], "float64", "Double", "float64"),
        ([1, None], "Int64", "Short", "Int16"),
        ([1, 2], "Int64", "Double", "Float64"),
        ([1, 2], "int64[pyarrow]", "Long", "int64[pyarrow]"),
    ],
)
def test_numbers_get_the_dtype_that_the_policy_names_and_keep_their_nulls(values, dtype, to, expected) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    result = apply(policy(ROUND % to), frame)["x"]
    assert str(result.dtype) == expected
    assert result.isna().tolist() == frame["x"].isna().tolist()
    assert result[0] == 1


@pytest.mark.parametrize("dtype", ["datetime64[s]", "datetime64[us]", "datetime64[ns]", "datetime64[ms, UTC]"])
def test_datetimes_keep_their_unit_and_zone(dtype: str) -> None:
    frame = pd.DataFrame(
        {"x": pd.Series([pd.Timestamp("2020-05-05", tz="UTC" if "UTC" in dtype else None)]).astype(dtype)}
    )
    result = apply("label: test\nversion: 2\nrules:\n  - " + TRUNCATE_2, frame)["x"]
    assert str(result.dtype) == dtype
    assert result[0].isoformat().startswith("2020-01-01T00:00:00")


def test_dates_stay_dates() -> None:
    result = apply(policy(TRUNCATE), pd.DataFrame({"x": [dt.date(2020, 5, 5), None]}))["x"]
    assert (result.dtype, result.tolist()) == (object, [dt.date(2020, 1, 1), None])


def test_kept_columns_are_left_as_they_are() -> None:
    frame = pd.DataFrame(
        {
            "x": ["a", "b", "c"],
            "n": [1, 2, 3],
            "list": [[1], [2], None],
            "period": pd.period_range("2020", periods=3),
            "sparse": pd.arrays.SparseArray([0, 0, 1]),
            7: pd.Categorical(["u", "v", "w"], ["w", "v", "u"], ordered=True),
        }
    )
    result = apply(policy(TOKENIZE, REDACT), frame.drop(columns="sparse"))
    for name in ("n", "list", "period"):
        pd.testing.assert_series_equal(result[name], frame[name].iloc[[0, 2]])
    assert result[7].tolist() == ["u", "w"]
    assert result[7].cat.categories.tolist() == ["w", "u"]  # that of the suppressed row is a value, too
    assert result[7].cat.ordered


def test_a_column_without_any_value_is_text() -> None:
    assert apply(policy(TOKENIZE), pd.DataFrame({"x": [None, None]}))["x"].isna().all()


def test_columns_of_several_types_are_refused_without_being_shown() -> None:
    with pytest.raises(SchemaMismatch, match=r"column `x` \(object\) holds values of several types") as caught:
        apply(policy(TOKENIZE), pd.DataFrame({"x": ["S3CRET", 1, dt.date(2020, 1, 1)]}))
    assert "S3CRET" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="more than one column `x`"):
        apply(policy(TOKENIZE), pd.DataFrame([["a", "b"]], columns=["x", "x"]))


def test_kept_polars_columns_keep_their_types() -> None:
    kinds = pl.Enum(["u", "v"])
    frame = pl.DataFrame({"x": ["a", "b"], "n": [1, 2], "e": pl.Series(["u", "v"], dtype=kinds), "o": [{"a": 1}, None]})
    result = apply(policy(TOKENIZE, REDACT), frame)
    assert result.schema == frame.schema
    assert result.drop("x").equals(frame.drop("x").head(1))
    assert len(result["x"][0]) == 4


def test_polars_categories_are_tokenized() -> None:
    frame = pl.DataFrame({"x": pl.Series(["a", "b", "a"], dtype=pl.Categorical)})
    tokens = apply(policy(TOKENIZE), frame)["x"].to_list()
    assert tokens[0] == tokens[2] != tokens[1]
    assert not {"a", "b"} & set(tokens)
