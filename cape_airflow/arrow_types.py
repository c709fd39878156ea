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


_NESTED: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_struct, "struct"),
    (pa.types.is_map, "map"),
    (pa.types.is_union, "union"),
)
