"""Arrow IPC files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cape_airflow.datasets import groups, open_sink, open_source


def test_dictionaries_that_differ_between_batches_are_joined(tmp_path: Path, read, monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_ROWS", 2)
    batches = [
        pa.record_batch({"a": pa.array(values).dictionary_encode()}) for values in (["x", "y"], ["z", "x"], ["w", None])
    ]
    with open_sink(str(tmp_path / "out.arrow"), job_id="a") as target:
        target.open(batches[0].schema)
        for batch in batches:
            target.write(batch)
        target.commit()
    table = read(str(tmp_path / "out.arrow"))
    assert table.schema.field("a").type == batches[0].schema.field("a").type
    assert table["a"].to_pylist() == ["x", "y", "z", "x", "w", None]


def test_too_many_values_for_the_index_of_a_dictionary_are_refused(tmp_path: Path, write, refused) -> None:
    chunks = [
        pa.DictionaryArray.from_arrays(pa.array(range(100), pa.int8()), [f"S3CRET{start + n}" for n in range(100)])
        for start in (0, 1000)
    ]
    with refused("dictionary column has more values than its index type can count"):
        write(str(tmp_path / "out.arrow"), pa.table({"a": pa.chunked_array(chunks)}))
    assert not list(tmp_path.iterdir())


def test_columns_come_in_the_order_asked_for(tmp_path: Path, write, read) -> None:
    write(str(tmp_path / "out.arrow"), pa.table({"a": [1], "b": [2], "c": [3]}))
    assert read(str(tmp_path / "out.arrow"), ["c", "a"]).to_pydict() == {"c": [3], "a": [1]}


@pytest.mark.parametrize("columns", [["name", "city", "z"], ["city"], ["city", "z"], ["z", "name"]])
def test_files_whose_columns_stand_in_another_order_are_read_by_name(tmp_path: Path, read, columns) -> None:
    tables = [
        pa.table({"name": ["x"], "city": ["c"], "z": [1]}),
        pa.table({"city": ["c2"], "z": [2], "name": ["y"]}),
    ]
    for number, table in enumerate(tables):
        with pa.ipc.new_file(tmp_path / f"{number}.arrow", table.schema) as writer:
            writer.write_table(table)
    assert read(str(tmp_path), columns).to_pylist() == [
        {name: table[name][0].as_py() for name in columns} for table in tables
    ]


def test_the_footer_tells_the_rows(tmp_path: Path, write) -> None:
    write(str(tmp_path / "out.arrow"), pa.table({"a": range(7)}))
    assert open_source(str(tmp_path / "out.arrow")).row_count == 7


def test_a_broken_batch_is_refused_before_use(tmp_path: Path, read, refused) -> None:
    path = tmp_path / "in.arrow"
    with pa.ipc.new_file(path, pa.schema([("s", pa.string())])) as writer:
        writer.write_table(pa.table({"s": ["S3CRET"] * 3}))
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 6, 12, 18))
    content = path.read_bytes()
    assert content.count(offsets) == 1
    path.write_bytes(content.replace(offsets, offsets[:4] + b"\xff\xff\xff\x7f" + offsets[8:]))
    with refused("cannot read .*in.arrow: it is broken"):
        read(str(path))
