"""What becomes of the parts of a pandas or polars frame that Arrow does not have."""

from __future__ import annotations

import datetime as dt
import io
import logging
import pickle

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


@pytest.mark.parametrize(
    "values", [["S3CRET", 1, dt.date(2020, 1, 1)], [2**70, 1], [object()]], ids=["mixed", "huge", "objects"]
)
def test_columns_of_several_or_unknown_types_are_refused_without_being_shown(values: list[object]) -> None:
    with pytest.raises(SchemaMismatch, match=r"column `x` \(object\) holds values of several types") as caught:
        apply(policy(TOKENIZE), pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    assert "S3CRET" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="more than one column `x`"):
        apply(policy(TOKENIZE), pd.DataFrame([["a", "b"]], columns=["x", "x"]))


def test_kept_polars_columns_keep_their_types() -> None:
    frame = pl.DataFrame(
        {
            "x": ["a", "b"],
            "n": [1, 2],
            "e": pl.Series(["u", "v"], dtype=pl.Enum(["w", "u", "v"])),
            "o": [{"a": 1}, None],
            "c": pl.Series(["u", "v"], dtype=pl.Categorical),
            "none": [None, None],
            "t": pl.Series([1, 2], dtype=pl.Time),
            "l": pl.Series([["u"], ["v"]], dtype=pl.List(pl.Categorical)),
        }
    )
    assert apply(policy(TOKENIZE), frame).schema == frame.schema
    result = apply(policy(TOKENIZE, REDACT), frame)
    assert result["e"].dtype == pl.Enum(["u"])
    assert result.drop("e").schema == frame.drop("e").schema
    assert result.drop("x").to_dicts() == frame.drop("x").head(1).to_dicts()
    assert len(result["x"][0]) == 4


LONG = "S3CRET, too long for a view to hold it in itself"
TEXTS = pa.array([LONG, "b", "b", "b"])
NUMBERS = [2, 1, 3, 3]
ARROW = {
    "text": TEXTS,
    "views": TEXTS.cast(pa.string_view()),
    "dictionary": TEXTS.dictionary_encode(),
    "list": pa.array([[text] for text in TEXTS.to_pylist()]),
    "struct": pa.array([{"a": text} for text in TEXTS.to_pylist()]),
}


def halves(column: pa.Array) -> pa.ChunkedArray:
    """Return two chunks; the rows that are suppressed are in the first one only."""
    return pa.chunked_array([column.slice(0, 2), column.slice(2)])


def leaks(frame: object) -> bool:
    """Whether the secret is in what pickle or Arrow IPC would store of a frame."""
    file = io.BytesIO()
    if isinstance(frame, pl.DataFrame):
        frame.write_ipc(file)
    else:
        frame = pa.Table.from_pandas(frame) if isinstance(frame, pd.DataFrame) else frame
        with pa.ipc.new_file(file, frame.schema) as writer:
            writer.write(frame)
    return b"S3CRET" in file.getvalue() + pickle.dumps(frame)


@pytest.mark.parametrize("kind", ARROW)
def test_nothing_of_suppressed_rows_is_in_an_arrow_frame(kind: str) -> None:
    table = pa.table({"n": halves(pa.array(NUMBERS)), "kept": halves(ARROW[kind])})
    for frame in (table, table.combine_chunks().to_batches()[0]):
        result = apply(policy(REDACT), frame)
        assert result["kept"].to_pylist() == ARROW[kind].to_pylist()[1:]
        assert leaks(frame)
        assert not leaks(result)


@pytest.mark.parametrize("kind", ARROW)
def test_nothing_of_suppressed_rows_is_in_a_pandas_frame_of_arrow_columns(kind: str) -> None:
    dtype = pd.ArrowDtype(ARROW[kind].type)
    frame = pd.DataFrame({"n": NUMBERS, "kept": pd.Series(halves(ARROW[kind]), dtype=dtype)})
    result = apply(policy(REDACT), frame)
    assert result["kept"].dtype == dtype
    assert result["kept"].tolist() == frame["kept"].tolist()[1:]
    assert result.index.tolist() == [1, 2, 3]
    assert leaks(frame)
    assert not leaks(result)


@pytest.mark.parametrize("dtype", ["str", "string", object, "category"])
def test_nothing_of_suppressed_rows_is_in_a_pandas_frame(dtype: object) -> None:
    frame = pd.DataFrame({"n": NUMBERS, "kept": pd.Series(TEXTS.to_pylist(), dtype=dtype)})
    assert not leaks(apply(policy(REDACT), frame))


@pytest.mark.parametrize(
    "dtype", [pl.String, pl.Categorical, pl.Enum([LONG, "b"]), pl.List(pl.Enum([LONG, "b"]))], ids=str
)
def test_nothing_of_suppressed_rows_is_in_a_polars_frame(dtype: pl.DataType) -> None:
    texts = [[text] for text in TEXTS.to_pylist()] if dtype.is_nested() else TEXTS.to_pylist()
    frame = pl.DataFrame({"n": NUMBERS, "kept": pl.Series(texts, dtype=dtype)})
    result = apply(policy(REDACT), frame)
    assert result["kept"].to_list() == texts[1:]
    assert leaks(frame)
    assert not leaks(result)


@pytest.mark.parametrize(
    "column", [pl.Series([object()], dtype=pl.Object), pl.Series([1], dtype=pl.Int128)], ids=["objects", "Int128"]
)
def test_polars_columns_that_arrow_does_not_know_are_refused(column: pl.Series) -> None:
    with pytest.raises(SchemaMismatch, match=r"column `o` \(.*one that Arrow does not know") as caught:
        apply(policy(TOKENIZE), pl.DataFrame({"x": ["a"], "o": column}))
    assert caught.value.__cause__ is caught.value.__context__ is None


COVERED = "label: test\nversion: 2\n%srules:\n  - " + TRUNCATE_2
INDEXES = [
    pd.Index(["123-45-6789", "987-65-4321"]),
    pd.Index([123456789, 987654321], name="ssn"),
    pd.date_range("2020-01-01", periods=2),
    pd.MultiIndex.from_tuples([(1, 2), (3, 4)]),
]


def dated(index: pd.Index) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.to_datetime(["2020-05-05", "2020-05-06"])}).set_index(index)


@pytest.mark.parametrize("default", ["", "default: drop\n"])
@pytest.mark.parametrize("index", INDEXES, ids=["text", "named", "dates", "levels"])
def test_version_2_wants_an_index_that_holds_data_covered(index: pd.Index, default: str) -> None:
    with pytest.raises(SchemaMismatch, match=r"the index.* is data that no rule covers; .*`frame.reset_index\(\)`"):
        apply(COVERED % default, dated(index))


def test_an_index_that_only_counts_or_is_kept_by_default_stays() -> None:
    for default, index in (("", pd.Index([7, 9])), ("default: keep\n", INDEXES[0])):
        assert apply(COVERED % default, dated(index)).index.equals(index)


def test_version_1_keeps_the_index_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = apply(policy(TRUNCATE), dated(INDEXES[1]))
    assert result.index.equals(INDEXES[1])
    assert [record.getMessage() for record in caplog.records] == [
        "the index `ssn` is kept as it is, since rules are about columns"
    ]


def test_the_attributes_of_a_frame_are_left_out() -> None:
    frame = dated(pd.RangeIndex(2))
    frame.attrs["top"] = "S3CRET"
    assert apply(policy(TRUNCATE), frame).attrs == {}
    assert frame.attrs == {"top": "S3CRET"}


def test_polars_categories_are_tokenized() -> None:
    frame = pl.DataFrame({"x": pl.Series(["a", "b", "a"], dtype=pl.Categorical)})
    tokens = apply(policy(TOKENIZE), frame)["x"].to_list()
    assert tokens[0] == tokens[2] != tokens[1]
    assert not {"a", "b"} & set(tokens)
