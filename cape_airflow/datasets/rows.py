"""Choosing rows, so that nothing of the others is left.

Arrow arrays may carry more than they show: a slice has its neighbours' bytes in its buffers, a dictionary has values
that no row points to, a view has the text of rows that were filtered out, a null may lie over the value that it hides.
Writers store what is carried. So what is written or handed on is compacted first; equal rows then also give equal
bytes. The layouts are those of the Arrow columnar format, version 1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cape_airflow.datasets.compactness import is_compact
from cape_airflow.kernels.text import without_views

Places = NDArray[np.int64]
"""Positions in an array, from 0; -1 stands for null."""


def compact(column: pa.Array | pa.ChunkedArray, kind: pa.DataType | None = None) -> pa.Array:
    """Return the same values, with nulls where they were, in new buffers that hold only them.

    Args:
        column: of any type.
        kind: the type that comes out: the column's, but for names and metadata of what is inside; None for the same.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if len(chunks) == 1 and is_compact(chunks[0]):
        return chunks[0]
    array = pa.concat_arrays(chunks) if chunks else pa.nulls(0, column.type)
    if is_compact(array):
        return array
    return _taken(array, np.arange(len(array)), pa.field("", kind or array.type))


def choose(column: pa.Array, keep: pa.BooleanArray) -> pa.Array:
    """Return the values where `keep` is true, in order, compacted; Arrow's own filter does not take every type.

    Args:
        column: of any type.
        keep: of the same length, without nulls.
    """
    return _taken(column, np.flatnonzero(keep.to_numpy(zero_copy_only=False)), pa.field("", column.type))


def _taken(array: pa.Array, places: Places, field: pa.Field) -> pa.Array:
    """Return the values at these places, of the field's type, in new buffers; zeros or nothing lie under nulls."""
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        places = np.where(_at(valid, places), places, -1)
    for accepts, take in _LAYOUTS:
        if accepts(field.type):
            return take(array, places, field)
    return _flat(array, places, field)


def _flat(array: pa.Array, places: Places, field: pa.Field) -> pa.Array:
    plain = array.cast(without_views(array.type)).take(pa.array(places, mask=places < 0))
    taken = plain.cast(field.type)
    if field.nullable or not taken.null_count:
        return taken
    # Where the parent is null, a child that may not be null is zero.
    return pa.Array.from_buffers(field.type, len(taken), [None, *taken.buffers()[1:]])


def _extension(array: pa.ExtensionArray, places: Places, field: pa.Field) -> pa.Array:
    storage = _taken(array.storage, places, field.with_type(field.type.storage_type))
    return pa.ExtensionArray.from_storage(field.type, storage)


def _dictionary(array: pa.DictionaryArray, places: Places, field: pa.Field) -> pa.Array:
    kind = field.type
    indices = _flat(array.indices, places, pa.field("", kind.index_type))
    used = indices.unique().drop_null()  # by first appearance, wherever the dictionary had them
    if kind.ordered:
        used = used.take(pc.sort_indices(used))
    values = _taken(array.dictionary, used.to_numpy().astype(np.int64), pa.field("", kind.value_type))
    numbered = pc.index_in(indices, value_set=used).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(numbered, values, ordered=kind.ordered)


def _runs(array: pa.RunEndEncodedArray, places: Places, field: pa.Field) -> pa.Array:
    runs = np.searchsorted(array.run_ends.to_numpy(), places + array.offset, side="right")
    runs[places < 0] = -1
    starts = np.flatnonzero(np.diff(runs, prepend=-2))
    ends = pa.array(np.append(starts[1:], len(runs))[: len(starts)], field.type.run_end_type)
    values = _taken(array.values, runs[starts], pa.field("", field.type.value_type))
    return pa.RunEndEncodedArray.from_arrays(ends, values, type=field.type)


def _struct(array: pa.StructArray, places: Places, field: pa.Field) -> pa.Array:
    children = [_taken(array.field(place), places, child) for place, child in enumerate(field.type)]
    return _nested(field, places, [], children)


def _list(array: pa.ListArray, places: Places, field: pa.Field) -> pa.Array:
    offsets = array.offsets.to_numpy()
    has_sizes = pa.types.is_list_view(field.type) or pa.types.is_large_list_view(field.type)
    sizes = _at(array.sizes.to_numpy() if has_sizes else np.diff(offsets), places).astype(np.int64)
    ends = np.cumsum(sizes)
    within = np.arange(sizes.sum()) - np.repeat(ends - sizes, sizes)
    values = _taken(array.values, np.repeat(_at(offsets, places), sizes) + within, field.type.field(0))
    parts = [ends - sizes, sizes] if has_sizes else [np.append(0, ends)]
    return _nested(field, places, [_buffer(part, array.offsets.type) for part in parts], [values])


def _fixed_size_list(array: pa.FixedSizeListArray, places: Places, field: pa.Field) -> pa.Array:
    size = field.type.list_size
    inside = (places[:, None] + array.offset) * size + np.arange(size)
    inside[places < 0] = -1
    return _nested(field, places, [], [_taken(array.values, inside.ravel(), field.type.field(0))])


def _union(array: pa.UnionArray, places: Places, field: pa.Field) -> pa.Array:
    kind = field.type
    array = pa.concat_arrays([array])  # pyarrow forgets the offset of a slice in `type_codes` and `offsets`
    codes = np.where(places < 0, kind.type_codes[0], _at(array.type_codes.to_numpy(), places))
    dense = kind.mode == "dense"
    inside = np.where(places < 0, -1, _at(array.offsets.to_numpy(), places)) if dense else places
    buffers, children, offsets = [_buffer(codes, pa.int8())], [], np.zeros(len(places), np.int64)
    for number, code in enumerate(kind.type_codes):
        own = codes == code
        offsets[own] = np.arange(own.sum())
        chosen = inside[own] if dense else np.where(own, inside, -1)
        children.append(_taken(array.field(number), chosen, kind.field(number)))
    buffers += [_buffer(offsets, pa.int32())] if dense else []
    return pa.Array.from_buffers(kind, len(places), [None, *buffers], children=children)


def _nested(field: pa.Field, places: Places, buffers: list[pa.Buffer], children: list[pa.Array]) -> pa.Array:
    some_null = field.nullable and bool((places < 0).any())
    valid = pa.array(places >= 0).buffers()[1] if some_null else None
    return pa.Array.from_buffers(field.type, len(places), [valid, *buffers], children=children)


def _buffer(values: Iterable[int], kind: pa.DataType) -> pa.Buffer:
    return pa.array(values, kind).buffers()[1]


def _at(values: NDArray[np.generic], places: Places) -> NDArray[np.generic]:
    """Return the values at these places, and zero for -1."""
    found = np.zeros(len(places), values.dtype)
    found[places >= 0] = values[places[places >= 0]]
    return found


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_list_view, pa.types.is_large_list_view)
    return pa.types.is_map(kind) or any(test(kind) for test in tests)


_LAYOUTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, Places, pa.Field], pa.Array]], ...] = (
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _extension),
    (pa.types.is_dictionary, _dictionary),
    (pa.types.is_run_end_encoded, _runs),
    (pa.types.is_struct, _struct),
    (pa.types.is_fixed_size_list, _fixed_size_list),
    (pa.types.is_union, _union),
    (_is_list, _list),
)
