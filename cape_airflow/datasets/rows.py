"""Choosing rows, so that nothing of the others is left.

Arrow arrays may carry more than they show: a slice has its neighbours' bytes in its buffers, a dictionary has values
that no row points to, a view has the text of rows that were filtered out. Writers store what is carried. So what is
written, or handed on after rows were suppressed, is compacted first; equal rows then also give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress

import pyarrow as pa
import pyarrow.compute as pc


def compact(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the same values, with nulls where they were, in new buffers that hold only them.

    Args:
        column: of any type.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    array = pa.concat_arrays(chunks) if chunks else pa.array([], column.type)
    if pa.types.is_dictionary(array.type):
        return _used_dictionary(array)
    if (plain := _without_views(array.type)) is not None:
        return array.cast(plain).cast(array.type)
    if pa.types.is_nested(array.type) and _holds(
        array.type, lambda kind: _is_view(kind) or pa.types.is_dictionary(kind)
    ):
        return pa.array(array.to_pylist(), array.type)
    return array


def choose(column: pa.Array, keep: pa.BooleanArray) -> pa.Array:
    """Return the values where `keep` is true, in order; Arrow's own filter takes no views.

    Args:
        column: of any type.
        keep: of the same length, without nulls.
    """
    if (plain := _without_views(column.type)) is not None:
        return column.cast(plain).filter(keep).cast(column.type)
    if pa.types.is_nested(column.type) and _holds(column.type, _is_view):
        return pa.array(list(compress(column.to_pylist(), keep.to_pylist())), column.type)
    return column.filter(keep)


def _used_dictionary(array: pa.DictionaryArray) -> pa.DictionaryArray:
    used = array.indices.unique().drop_null()
    used = used.take(pc.sort_indices(used))  # an ordered dictionary keeps its order
    indices = pc.index_in(array.indices, value_set=used).cast(array.type.index_type)
    return pa.DictionaryArray.from_arrays(indices, array.dictionary.take(used), ordered=array.type.ordered)


def _without_views(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of the same values with offsets; None where it is no view."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else None


def _is_view(kind: pa.DataType) -> bool:
    return _without_views(kind) is not None


def _holds(kind: pa.DataType, what: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type is, or has somewhere inside, what is asked for."""
    if what(kind):
        return True
    return pa.types.is_nested(kind) and any(_holds(kind.field(place).type, what) for place in range(kind.num_fields))
