"""Chosen rows, and nothing of the others."""

from __future__ import annotations

import io
import pickle
import uuid

import numpy as np
import pyarrow as pa
import pytest

from cape_airflow.datasets.rows import choose, compact

LONG = "long enough for no view to hold it in itself, "
TEXTS = [f"{LONG}first", None, f"{LONG}S3CRET", f"{LONG}last"]
KEEP = pa.array([True, True, False, True])


def dictionary(values: pa.Array, ordered: bool = False) -> pa.DictionaryArray:
    """Return the texts, as places in a dictionary that has them in another order."""
    return pa.DictionaryArray.from_arrays(pa.array([2, None, 0, 1], pa.int8()), values, ordered=ordered)


def runs(values: list[str | None]) -> pa.RunEndEncodedArray:
    return pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3, 4], pa.int16()), pa.array(values))


def union(dense: bool) -> pa.UnionArray:
    codes, numbers = pa.array([0, 1, 0, 0], pa.int8()), pa.array([7, 8, 9, 10])
    if not dense:
        return pa.UnionArray.from_sparse(codes, [pa.array(TEXTS), numbers])
    return pa.UnionArray.from_dense(codes, pa.array([0, 1, 2, 3], pa.int32()), [pa.array(TEXTS), numbers])


SHUFFLED = pa.array([TEXTS[2], TEXTS[3], TEXTS[0]])
INSIDE = [text and [text] for text in TEXTS]
COLUMNS = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array(TEXTS, pa.string_view()),
    "binary": pa.array(TEXTS, pa.binary()),
    "binary_view": pa.array([text and text.encode() for text in TEXTS], pa.binary_view()),
    "dictionary": dictionary(SHUFFLED),
    "ordered": dictionary(SHUFFLED, ordered=True),
    "dictionary of views": dictionary(SHUFFLED.cast(pa.string_view())),
    "dictionary of lists": dictionary(pa.array([[text] for text in SHUFFLED.to_pylist()])),
    "runs": runs(TEXTS),
    "list": pa.array(INSIDE),
    "list of views": pa.array(INSIDE, pa.list_(pa.string_view())),
    "list of dictionaries": pa.array(INSIDE, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "list of lists": pa.array([[inside, None, []] for inside in INSIDE]),
    "large list": pa.array(INSIDE, pa.large_list(pa.string())),
    "list view": pa.array(INSIDE, pa.list_view(pa.string())),
    "large list view": pa.array(INSIDE, pa.large_list_view(pa.string_view())),
    "fixed-size list": pa.array([text and [text, None] for text in TEXTS], pa.list_(pa.string_view(), 2)),
    "map": pa.array([text and [(text, [text])] for text in TEXTS], pa.map_(pa.string(), pa.list_(pa.string_view()))),
    "struct": pa.array([text and {"x": [text]} for text in TEXTS], pa.struct([("x", pa.list_(pa.string_view()))])),
    "struct of required": pa.StructArray.from_arrays(
        [pa.array([text or "" for text in TEXTS])], fields=[pa.field("x", pa.string(), nullable=False)]
    ),
    "struct of runs": pa.StructArray.from_arrays([runs(TEXTS)], ["x"]),
    "struct of nothing": pa.array([{}, None, {}, {}], pa.struct([])),
    "two children of one name": pa.StructArray.from_arrays([pa.array(TEXTS), dictionary(SHUFFLED)], ["x", "x"]),
    "sparse union": union(dense=False),
    "dense union": union(dense=True),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(TEXTS)),
    "opaque dictionary": pa.ExtensionArray.from_storage(
        pa.opaque(pa.dictionary(pa.int8(), pa.string()), "t", "v"), dictionary(SHUFFLED)
    ),
}
INSTANTS = {
    "timestamp": pa.array([1234567890123456789, None], pa.timestamp("ns", "+05:30")),
    "far timestamp": pa.array([10**13, None], pa.timestamp("s")),
    "time": pa.array([1234567891234, None], pa.time64("ns")),
    "duration": pa.array([1234567891, None], pa.duration("ns")),
    "date": pa.array([5_000_000, None], pa.int32()).cast(pa.date32()),
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "half float": pa.array([np.float16(1), None], pa.float16()),
    "decimal": pa.array(["1.5", None]).cast(pa.decimal256(40, 2)),
    "boolean": pa.array([True, None]),
    "null": pa.nulls(2),
    "bytes": pa.array([b"ab", None], pa.binary(2)),
    "uuid": pa.array([uuid.UUID(int=0xA11CE5EC2E7).bytes, None], pa.uuid()),
}


def written(array: pa.Array) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_file(file, pa.schema([("x", array.type)])) as writer:
        writer.write_batch(pa.record_batch([array], ["x"]))
    return file.getvalue()


def shown(array: pa.Array) -> list[object]:
    """Return the values; where names are twice, those of every child."""
    if not pa.types.is_struct(array.type) or len({field.name for field in array.type}) == array.type.num_fields:
        return array.to_pylist()
    return [child.to_pylist() for child in array.flatten()]


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_that_were_filtered_out_or_sliced_off_are_in_no_buffer(name: str) -> None:
    whole = COLUMNS[name]
    rest = pa.array([0, 1, 3])
    for result, part in (
        (choose(whole, KEEP), [shown(whole.slice(place, 1)) for place in rest.to_pylist()]),
        (compact(whole.slice(0, 2)), [shown(whole.slice(place, 1)) for place in (0, 1)]),
        (compact(whole.slice(3)), [shown(whole.slice(3))]),
        (choose(whole.slice(1), KEEP.slice(1)), [shown(whole.slice(place, 1)) for place in (1, 3)]),
    ):
        result.validate(full=True)
        assert result.type == whole.type
        assert [shown(result.slice(place, 1)) for place in range(len(result))] == part
        assert b"S3CRET" not in written(result)
        if name != "struct of nothing":
            assert b"S3CRET" not in pickle.dumps(result)


@pytest.mark.parametrize("name", COLUMNS | INSTANTS)
def test_chunks_and_no_chunks_become_one_array(name: str) -> None:
    column = (COLUMNS | INSTANTS)[name]
    result = compact(pa.chunked_array([column.slice(1), column]))
    result.validate(full=True)
    if name in COLUMNS:
        assert shown(result.slice(len(column) - 1)) == shown(column)
    else:
        assert result.slice(len(column) - 1).equals(column)
    assert len(compact(pa.chunked_array([], column.type))) == 0


@pytest.mark.parametrize("name", INSTANTS)
def test_values_inside_others_come_through_exactly(name: str) -> None:
    column = INSTANTS[name]
    named = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), ["x"])
    result = compact(pa.StructArray.from_arrays([column, named], ["v", "d"]))
    assert result.field("v").equals(column)
    assert compact(column).equals(column)


def hidden(kind: str) -> pa.Array:
    """Return two rows of which the first is null, over a value that is still there."""
    mask = pa.array([True, False])
    texts = pa.array([f"{LONG}S3CRET", "x"])
    masked = pa.Array.from_buffers(pa.string(), 2, [pa.array([False, True]).buffers()[1], *texts.buffers()[1:]])
    required = [pa.field("a", pa.string(), nullable=False), pa.field("b", pa.list_(pa.string()), nullable=False)]
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), texts, mask=mask)
    return {
        "text": masked,
        "view": pa.StructArray.from_arrays([texts.cast(pa.string_view())], ["a"], mask=mask),
        "struct": pa.StructArray.from_arrays([texts], ["a"], mask=mask),
        "required": pa.StructArray.from_arrays([texts, pa.array([["S3CRET"], ["x"]])], fields=required, mask=mask),
        "list": lists,
        "list of text": pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), masked),
        "fixed-size list": pa.FixedSizeListArray.from_arrays(texts, 1, mask=mask),
        "dictionary": pa.StructArray.from_arrays([texts.dictionary_encode()], ["a"], mask=mask),
        "runs": pa.StructArray.from_arrays(
            [pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), texts)], ["a"], mask=mask
        ),
        "union": pa.StructArray.from_arrays(
            [pa.UnionArray.from_dense(pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()), [texts])],
            ["a"],
            mask=mask,
        ),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["text", "view", "struct", "required", "list", "list of text", "fixed-size list", "dictionary", "runs", "union"],
)
def test_what_lies_under_a_null_is_gone(kind: str) -> None:
    column = hidden(kind)
    assert b"S3CRET" in pickle.dumps(column)
    for result in (compact(column), choose(column, pa.array([True, True]))):
        result.validate(full=True)
        assert result.to_pylist() == column.to_pylist()
        assert b"S3CRET" not in pickle.dumps(result) + written(result)


def test_numbers_under_nulls_are_zero() -> None:
    column = pa.array(np.array([111222333, 5]), mask=np.array([True, False]))
    assert np.frombuffer(column.buffers()[1], np.int64)[0] == 111222333
    assert np.frombuffer(compact(column).buffers()[1], np.int64).tolist() == [0, 5]


def test_a_dictionary_has_its_values_by_first_appearance_and_an_ordered_one_in_its_order() -> None:
    part = COLUMNS["dictionary"].take(pa.array([0, 2, 3]))
    assert compact(part).dictionary.to_pylist() == [TEXTS[0], TEXTS[2], TEXTS[3]]
    assert compact(COLUMNS["ordered"].slice(2)).dictionary.to_pylist() == [TEXTS[2], TEXTS[3]]


def test_metadata_inside_a_type_is_that_of_the_wanted_type() -> None:
    kind = pa.struct([pa.field("a", pa.list_(pa.field("item", pa.int64(), metadata={"top": "S3CRET"})))])
    wanted = pa.struct([pa.field("a", pa.list_(pa.int64()))])
    result = compact(pa.array([{"a": [1]}], kind), wanted)
    assert result.type.equals(wanted, check_metadata=True)
    assert result.field(0).type.equals(wanted.field(0).type, check_metadata=True)
