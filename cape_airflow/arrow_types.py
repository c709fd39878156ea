"""Small questions about Arrow types that several rooms ask."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa


def type_name(kind: pa.DataType) -> str:
    """Return a type as text for people. Names of nested fields stay out: in JSON data they can be values."""
    inner = unwrapped(kind)
    if not pa.types.is_nested(inner):
        return str(kind)
    for accepts, name in _NESTED:
        if accepts(inner):
            return name
    return "list"


def unwrapped(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values inside dictionaries, run-end encoding and extension types."""
    while True:
        if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        else:
            return kind


def without_metadata(kind: pa.DataType) -> pa.DataType:
    """Return the same type without metadata of the fields inside, which may hold values."""
    inside = [_bare(kind.field(place)) for place in range(kind.num_fields)]
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, without_metadata(kind.value_type), kind.ordered)
    for accepts, rebuild in _REBUILT:
        if accepts(kind):
            return rebuild(kind, inside)
    return kind


def _bare(field: pa.Field) -> pa.Field:
    return field.remove_metadata().with_type(without_metadata(field.type))


_REBUILT: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, list[pa.Field]], pa.DataType]], ...] = (
    (pa.types.is_struct, lambda kind, inside: pa.struct(inside)),
    (pa.types.is_list, lambda kind, inside: pa.list_(inside[0])),
    (pa.types.is_large_list, lambda kind, inside: pa.large_list(inside[0])),
    (pa.types.is_list_view, lambda kind, inside: pa.list_view(inside[0])),
    (pa.types.is_large_list_view, lambda kind, inside: pa.large_list_view(inside[0])),
    (pa.types.is_fixed_size_list, lambda kind, inside: pa.list_(inside[0], kind.list_size)),
    (pa.types.is_map, lambda kind, inside: pa.map_(*inside[0].type, keys_sorted=kind.keys_sorted)),
    (pa.types.is_union, lambda kind, inside: pa.union(inside, kind.mode, kind.type_codes)),
    (pa.types.is_run_end_encoded, lambda kind, inside: pa.run_end_encoded(kind.run_end_type, inside[1].type)),
)

_NESTED: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_struct, "struct"),
    (pa.types.is_map, "map"),
    (pa.types.is_union, "union"),
)
