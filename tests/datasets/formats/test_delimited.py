"""CSV, read without loss and written without formulas."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import open_sink, open_source
from cape_airflow.datasets.formats import delimited
from cape_airflow.errors import SchemaMismatch

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8)


def csv(folder: Path, text: str, name: str = "in.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def test_types_come_from_the_first_rows(tmp_path: Path, read) -> None:
    table = read(csv(tmp_path, "i,f,b,d,t,s\n1,1.5,true,2026-01-31,2026-01-31 12:00:00,x\n"))
    kinds = ["int64", "double", "bool", "date32[day]", "timestamp[s]", "string"]
    assert [str(kind) for kind in table.schema.types] == kinds
    assert table.to_pylist()[0]["d"] == dt.date(2026, 1, 31)


def test_an_empty_cell_is_null_and_a_quoted_one_is_empty_text(tmp_path: Path, read) -> None:
    assert read(csv(tmp_path, 'a,b\n,""\nx,NA\n')).to_pydict() == {"a": [None, "x"], "b": ["", "NA"]}


def test_numbers_that_would_not_survive_stay_text(tmp_path: Path, read) -> None:
    rows = {"zip": "00501", "account": "12345678901234567890", "card": "4111111111111111", "part": "007.5"}
    table = read(csv(tmp_path, f"{','.join(rows)}\n{','.join(rows.values())}\n"))
    assert table.to_pylist() == [{**rows, "card": 4111111111111111}]


@pytest.mark.parametrize(
    "text", ["0x1F", "12345678901234567.5", "0.12345678901234567890123", "1e400", "inf", "nan", "00.5"]
)
def test_what_would_be_another_number_stays_text(tmp_path: Path, read, text: str) -> None:
    assert read(csv(tmp_path, f"n,x\n1,\n{text},\n"))["n"].to_pylist() == ["1", text]


@pytest.mark.parametrize("text", ["1234567890.10", "10.50", "+5", "1e5", ".5", "1.", "-0.0", "4111111111111111.0"])
def test_what_is_the_same_number_is_a_number(tmp_path: Path, read, text: str) -> None:
    table = read(csv(tmp_path, f"n,x\n1.5,\n {text},\n"))
    assert table.schema.field("n").type == pa.float64()
    assert Decimal(repr(table["n"][1].as_py())) == Decimal(text)


@pytest.mark.parametrize(("first", "late"), [("1", "0x1F"), ("1.5", "12345678901234567.5"), ("1.5", "inf")])
def test_a_late_number_that_would_be_another_is_refused(
    tmp_path: Path, read, refused, monkeypatch, first: str, late: str
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    with refused("column `n` looked like .*column_types: {n: string}"):
        read(csv(tmp_path, "n\n" + f"{first}\n" * 50 + f"{late}\n"))


def test_a_leading_zero_that_comes_late_is_refused(tmp_path: Path, read, refused, monkeypatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    url = csv(tmp_path, "zip\n" + "12345\n" * 50 + "00501\n")
    with refused("column `zip` looked like int64.*leading zeros.*column_types: {zip: string}"):
        read(url)
    assert read(url, options={"column_types": {"zip": "string"}})["zip"][50].as_py() == "00501"


@pytest.mark.parametrize("first", ["1", "1.5"])
def test_a_late_value_that_is_no_number_is_refused_without_being_shown(
    tmp_path: Path, read, refused, monkeypatch, first: str
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    with refused("in.csv: column `n` looked like .* in the first rows, but later values are not"):
        read(csv(tmp_path, "n\n" + f"{first}\n" * 50 + "S3CRET\n"))


def test_a_late_value_that_is_no_date_is_refused_without_being_shown(
    tmp_path: Path, read, refused, monkeypatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    with refused("column `day`: values do not fit the type that the first rows have"):
        read(csv(tmp_path, "x,day\n" + "a,2026-01-31\n" * 50 + "a,S3CRET\n"))


def test_a_row_of_another_length_is_refused_without_being_shown(tmp_path: Path, read, refused) -> None:
    with refused("a row has 1 cells instead of 2"):
        read(csv(tmp_path, "a,b\n1,2\nS3CRET\n"))


def test_a_column_without_values_in_the_first_rows_is_text(tmp_path: Path, read, monkeypatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    assert read(csv(tmp_path, "a,note\n" + "1,\n" * 50 + "1,late\n"))["note"][50].as_py() == "late"


def test_spaces_around_numbers_do_not_matter(tmp_path: Path, read) -> None:
    assert read(csv(tmp_path, "a,b\n 1,2\n3, 4\n"))["a"].to_pylist() == [1, 3]


def test_cells_may_hold_line_ends_delimiters_and_quotes(tmp_path: Path, read) -> None:
    assert read(csv(tmp_path, 'a,b\n"line\nend","say ""x"", y"\n')).to_pylist() == [
        {"a": "line\nend", "b": 'say "x", y'}
    ]


def test_the_user_gives_types(tmp_path: Path, read) -> None:
    types = {"n": "decimal128(10, 2)", "t": "timestamp[ms, UTC]", "s": pa.large_string()}
    table = read(csv(tmp_path, "n,t,s\n1.50,2026-01-31T00:00:00Z,5\n"), options={"column_types": types})
    assert table.schema.types == [pa.decimal128(10, 2), pa.timestamp("ms", "UTC"), pa.large_string()]
    assert table["n"][0].as_py() == Decimal("1.50")


def test_delimiter_and_null_values_are_options(tmp_path: Path, read) -> None:
    table = read(csv(tmp_path, "a;b\nNA;x\n1;-\n"), options={"delimiter": ";", "null_values": ["NA", "-"]})
    assert table.to_pydict() == {"a": [None, 1], "b": ["x", None]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"column_type": {}}, "format csv has no option `column_type`; did you mean `column_types`"),
        ({"column_types": {"zap": "string"}}, "names column `zap`, which is not there; did you mean `zip`"),
        ({"column_types": {"zip": "text"}}, "there is no type `text`"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, refused, options, words: str) -> None:
    with refused(words):
        open_source(csv(tmp_path, "zip\n1\n"), options=options)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, refused, text: str) -> None:
    with refused("cannot read .*in.csv"):
        open_source(csv(tmp_path, text))


def test_a_column_twice_is_refused(tmp_path: Path, refused) -> None:
    with refused("more than one column `a`"):
        open_source(csv(tmp_path, "a,a\n1,2\n"))


def test_a_header_alone_gives_columns_and_no_rows(tmp_path: Path, read) -> None:
    table = read(csv(tmp_path, "a,b\n"))
    assert (table.column_names, table.num_rows) == (["a", "b"], 0)


@pytest.mark.parametrize(("header", "words"), [("a,c", "`c` is only in this file"), ("a", "`b` is only in the first")])
def test_files_with_another_header_are_refused(tmp_path: Path, read, refused, header: str, words: str) -> None:
    csv(tmp_path, "a,b\n1,2\n", "1.csv")
    csv(tmp_path, f"{header}\n{','.join('1' for _ in header.split(','))}\n", "2.csv")
    with refused(f"2.csv: column {words}"):
        read(str(tmp_path))


def test_a_header_in_another_order_is_the_same(tmp_path: Path, read) -> None:
    csv(tmp_path, "a,b\n1,x\n", "1.csv")
    csv(tmp_path, "b,a\ny,2\n", "2.csv")
    assert read(str(tmp_path)).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_text_that_a_spreadsheet_would_run_is_escaped(tmp_path: Path, write) -> None:
    cells = ["=1+1", "+41", "-1", "@SUM", "\tx", "\rx", "x=1", "", None]
    table = pa.table({"=text": cells, "number": [-1.5] * 9, "kind": pa.array(["=k"] * 9).dictionary_encode()})
    write(str(tmp_path / "out.csv"), table)
    lines = (tmp_path / "out.csv").read_bytes().decode().split("\n")
    assert lines[0] == '''"'=text","number","kind"'''
    assert [line.rsplit(",", 2)[0] for line in lines[1:-1]] == [
        '''"'=1+1"''', '''"'+41"''', '''"'-1"''', '''"'@SUM"''', '''"'\tx"''', '''"'\rx"''', '"x=1"', '""', "",
    ]  # fmt: skip
    assert {line.split(",", 1)[1] for line in lines[1:-1]} == {'''-1.5,"'k"'''.replace("'k", "'=k")}


def test_escaping_can_be_turned_off(tmp_path: Path, write) -> None:
    write(str(tmp_path / "out.csv"), pa.table({"a": ["=1"]}), options={"escape_formulas": False})
    assert (tmp_path / "out.csv").read_text() == '"a"\n"=1"\n'


@pytest.mark.parametrize("column", [pa.array([[1]]), pa.array([b"x"]), pa.array([{"a": 1}])])
def test_columns_that_csv_cannot_hold_are_refused_before_the_first_row(tmp_path: Path, refused, column) -> None:
    with refused("which CSV cannot hold; write Parquet"), open_sink(str(tmp_path / "out.csv"), job_id="a") as sink:
        sink.open(pa.schema([("x", column.type)]))
    assert not list(tmp_path.iterdir())


def test_no_such_column(tmp_path: Path, read, refused) -> None:
    with refused("has no column `nmae`; did you mean `name`", SchemaMismatch):
        open_source(csv(tmp_path, "name\nx\n")).batches(["nmae"])


@given(
    rows=st.lists(
        st.tuples(TEXT | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none(), st.floats(allow_nan=False)),
        max_size=20,
    )
)
def test_what_is_written_comes_back(tmp_path_factory, rows) -> None:
    schema = pa.schema([("s", pa.string()), ("i", pa.int64()), ("f", pa.float64())])
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    url = str(tmp_path_factory.mktemp("csv") / "out.csv")
    with open_sink(url, job_id="a", options={"escape_formulas": False}) as sink:
        sink.open(schema)
        sink.write(table.combine_chunks().to_batches()[0] if rows else pa.RecordBatch.from_pylist([], schema))
        sink.commit()
    types = {"s": "string", "i": "int64", "f": "double"}
    back = pa.Table.from_batches(open_source(url, options={"column_types": types}).batches(), schema)
    assert back.equals(table)
