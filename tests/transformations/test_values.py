from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from cape_airflow.errors import SchemaMismatch
from cape_airflow.transformations import Transformation, create

Transform = Callable[..., pa.Array]

MASK = {"type": "character-mask", "keep_first": 1}


def test_values_of_a_dictionary_that_no_row_uses_do_not_come_out(transform: Transform) -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([2, None, 2], pa.int8()), pa.array(["gone", None, "here"]))
    result = transform(MASK, array)
    assert result.dictionary.to_pylist() == ["h***"]
    assert result.to_pylist() == ["h***", None, "h***"]


def test_values_that_become_equal_become_one_category(transform: Transform) -> None:
    result = transform(MASK, pa.array(["alice", "arthur", "aileen", "bob"]).dictionary_encode())
    assert result.dictionary.to_pylist() == ["a****", "a*****", "b**"]
    assert result.to_pylist() == ["a****", "a*****", "a*****", "b**"]


def test_a_null_inside_the_dictionary_is_a_null_row(transform: Transform) -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array([None, "bob"]))
    assert transform(MASK, array).to_pylist() == [None, "b**", None]


def test_a_value_that_no_row_uses_is_not_even_looked_at(transform: Transform) -> None:
    broken = pa.array([b"\xff", b"bob"]).view(pa.string())
    assert transform(MASK, pa.DictionaryArray.from_arrays(pa.array([1]), broken)).to_pylist() == ["b**"]


@pytest.mark.parametrize("index", [pa.int8(), pa.int16(), pa.int64(), pa.uint8(), pa.uint64()])
def test_the_index_type_stays(index: pa.DataType, transform: Transform) -> None:
    kind = pa.dictionary(index, pa.string(), ordered=True)
    assert transform(MASK, pa.array(["b", None, "a"]).cast(kind)).type == pa.dictionary(index, pa.string())


@pytest.mark.parametrize("values", [pa.list_(pa.int8()), pa.dictionary(pa.int8(), pa.string())])
def test_dictionaries_of_nested_values_are_refused_before_the_run(values: pa.DataType) -> None:
    technique = create({"type": "suppress-value"})
    assert isinstance(technique, Transformation)
    with pytest.raises(SchemaMismatch, match="`suppress-value` takes dictionaries of plain values"):
        technique.output_type(pa.dictionary(pa.int8(), values))
