"""JSON Lines."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import open_sink, open_source
from cape_airflow.datasets.formats import json_lines

TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=8)


def lines(folder: Path, *objects: object) -> str:
    path = folder / "in.jsonl"
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in objects))
    return str(path)


def test_types_come_from_the_first_rows_and_a_missing_key_is_null(tmp_path: Path, read) -> None:
    table = read(lines(tmp_path, {"i": 1, "f": 1.5, "b": True, "s": "x", "n": None, "l": [1]}, {"i": 2}))
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "double",
        "bool",
        "string",
        "string",
        "list<item: int64>",
    ]
    assert table.to_pylist()[1] == {"i": 2, "f": None, "b": None, "s": None, "n": None, "l": None}


def test_nothing_but_null_in_the_first_rows_is_text_at_any_depth(tmp_path: Path, read, monkeypatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 128)
    empty = {"n": None, "o": {"n": None}, "l": [None]}
    table = read(lines(tmp_path, *[empty] * 20, {"n": "x", "o": {"n": "y"}, "l": ["z"]}))
    assert table.to_pylist()[20] == {"n": "x", "o": {"n": "y"}, "l": ["z"]}


@pytest.mark.parametrize(
    ("late", "words"),
    [
        ({"a": "S3CRET"}, "column `a`: a value is of type string instead of number"),
        ({"a": 1, "S3CRET": 1}, "an object has a key that the first rows lack; give its type in column_types"),
        ('{"a": 1, "a": 2}', "an object names a key twice"),
        ('{"a": S3CRET}', "broken, or not of this format"),
        ('["S3CRET"]', "a value is of type array instead of object"),
        ({"a": 1.5}, "broken, or not of this format"),
    ],
)
def test_what_does_not_fit_is_refused_without_being_shown(
    tmp_path: Path, read, refused, monkeypatch, late, words
) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 128)
    with refused(f"cannot read .*in.jsonl: .*{words}"):
        read(lines(tmp_path, *[{"a": 1}] * 50, late))


def test_whole_numbers_that_a_double_cannot_hold_are_refused(tmp_path: Path, read, refused) -> None:
    url = lines(tmp_path, {"id": 12345678901234567890}, {"id": 1})
    with refused("column `id`: 1 numbers would not be kept exactly as double"):
        read(url)
    table = read(url, options={"column_types": {"id": "decimal128(38, 0)"}})
    assert table["id"][0].as_py() == Decimal("12345678901234567890")
    assert read(url, options={"column_types": {"id": "double"}})["id"][1].as_py() == 1.0


@pytest.mark.parametrize(
    "value",
    [
        12345678901234567891,
        "12345678901234567.5",
        "0.12345678901234567890123",
        {"x": 12345678901234567891},
        [1.5, 12345678901234567891],
        [{"x": [{"y": 12345678901234567891}]}],
    ],
)
def test_numbers_that_would_change_are_refused_at_any_depth(tmp_path: Path, read, refused, value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    with refused("column `n`: 1 numbers would not be kept exactly as double; give its type"):
        read(lines(tmp_path, f'{{"n": {text}}}'))


@pytest.mark.parametrize("text", ["1e300", "1e-40", f"1.{'0' * 50}1", "1" * 50])
def test_numbers_beyond_what_can_be_checked_are_refused(tmp_path: Path, read, refused, text: str) -> None:
    with refused("more digits than its type keeps; give its type in column_types|would not be kept exactly"):
        read(lines(tmp_path, f'{{"n": {text}}}', {"n": 1.5}))
    assert read(str(tmp_path / "in.jsonl"), options={"column_types": {"n": "double"}})["n"][0].as_py() == float(text)


@given(value=st.floats(allow_nan=False, allow_infinity=False, min_value=1e-15, max_value=1e30))
def test_every_float_as_python_writes_it_is_kept_at_any_depth(tmp_path_factory, value: float) -> None:
    row = {"f": value, "l": [value, None, -value], "o": {"x": value, "l": [{"y": value}]}, "none": None}
    empty = {"f": None, "l": None, "o": None, "none": None}
    url = lines(tmp_path_factory.mktemp("jsonl"), row, empty, {**row, "o": {"x": None, "l": []}})
    rows = [each for batch in open_source(url).batches() for each in batch.to_pylist()]
    assert rows == [row, empty, {**row, "o": {"x": None, "l": []}}]


@pytest.mark.parametrize("text", ["1" * 30, "0.12345678901", "1" * 35 + ".5"])
def test_a_number_that_a_declared_decimal_cannot_hold_is_refused(tmp_path: Path, read, refused, text: str) -> None:
    with refused("a number has more digits than its type keeps"):
        read(lines(tmp_path, f'{{"n": {text}}}'), options={"column_types": {"n": "decimal128(38, 10)"}})


def test_times_keep_their_nanoseconds(tmp_path: Path, write) -> None:
    time = pa.array([1_234_567_891_234], pa.time64("ns"))
    table = pa.table(
        {
            "t": time,
            "d": time.dictionary_encode(),
            "l": pa.ListArray.from_arrays([0, 1], time),
            "s": pa.StructArray.from_arrays([time], ["t"]),
        }
    )
    write(str(tmp_path / "out.jsonl"), table)
    text = "00:20:34.567891234"
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"t": text, "d": text, "l": [text], "s": {"t": text}}


def test_times_whose_nanoseconds_cannot_be_kept_are_refused(tmp_path: Path, write, refused) -> None:
    kind = pa.map_(pa.string(), pa.time64("ns"))
    with refused("whose nanoseconds JSON cannot hold; write Parquet"):
        write(str(tmp_path / "out.jsonl"), pa.table({"m": pa.array([[("a", 1)]], kind)}))


def test_what_json_has_no_type_for_is_written_as_text(tmp_path: Path, write) -> None:
    moment = dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC)
    table = pa.table(
        {
            "day": [dt.date(2026, 1, 31)],
            "time": [dt.time(12, 30)],
            "ns": pa.array([1], pa.timestamp("ns")),
            "zoned": pa.array([moment], pa.timestamp("s", "Europe/Paris")),
            "decimal": [Decimal("1.50")],
            "nested": [{"day": dt.date(2026, 1, 31), "none": None}],
        }
    )
    write(str(tmp_path / "out.jsonl"), table)
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "day": "2026-01-31",
        "time": "12:30:00",
        "ns": "1970-01-01T00:00:00.000000001",
        "zoned": "2026-01-31T13:30:00+01:00",
        "decimal": "1.50",
        "nested": {"day": "2026-01-31", "none": None},
    }


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([1.0, float("nan"), float("inf")]), "column `x`: 2 values are NaN or infinite"),
        (pa.array([b"S3CRET"]), "a column holds bytes values, which JSON cannot hold"),
    ],
)
def test_what_json_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path, write, refused, column, words) -> None:
    with refused(words):
        write(str(tmp_path / "out.jsonl"), pa.table({"x": column}))
    assert not list(tmp_path.iterdir())


@given(
    rows=st.lists(st.tuples(TEXT | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none(), st.booleans()), max_size=20)
)
def test_what_is_written_comes_back(tmp_path_factory, rows) -> None:
    schema = pa.schema([("s", pa.string()), ("i", pa.int64()), ("b", pa.bool_())])
    table = pa.Table.from_pylist(
        [{"s": "", "i": 0, "b": True}, *(dict(zip("sib", row, strict=True)) for row in rows)], schema
    )
    url = str(tmp_path_factory.mktemp("jsonl") / "out.jsonl")
    with open_sink(url, job_id="a") as sink:
        sink.open(schema)
        sink.write(table.to_batches()[0])
        sink.commit()
    types = {"s": "string", "i": "int64", "b": "bool"}
    assert pa.Table.from_batches(open_source(url, options={"column_types": types}).batches(), schema).equals(table)
