"""Types of PostgreSQL and of Arrow: those that carry every value of the other, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.arrow_types import type_name
from cape_airflow.datasets.formats.types import is_text
from cape_airflow.errors import DatasetError

_UTC = pa.timestamp("us", "UTC")
_PLAIN: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": _UTC,
    "uuid": pa.uuid(),
    "json": pa.json_(),
    "jsonb": pa.json_(),
}
"""By PostgreSQL's name of a type, what the driver reads and writes."""

_PRECISIONS = (38, 76)  # that decimal128 and decimal256 hold


def decimal(typmod: int) -> pa.DataType | None:
    """Return the type of ``numeric(p, s)``, of its modifier in PostgreSQL; None where Arrow has none."""
    if typmod < 0:
        return None
    precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF  # numerictypmodin in numeric.c
    if scale > precision or precision > _PRECISIONS[1]:
        return None
    return (pa.decimal128 if precision <= _PRECISIONS[0] else pa.decimal256)(precision, scale)


def arrow_type(name: str, typmod: int = -1) -> pa.DataType | None:
    """Return the Arrow type of a PostgreSQL type, None where there is no exact one.

    Args:
        name: as in ``pg_type.typname``; of arrays with an underscore in front.
        typmod: its modifier; -1 for none.
    """
    if name == "numeric":
        return decimal(typmod)
    if name.startswith("_"):
        inner = _PLAIN.get(name[1:])
        return None if inner is None else pa.list_(inner)
    return _PLAIN.get(name)


def read_field(field: pa.Field) -> pa.Field:
    """Return what a column is called and is for engines.

    Args:
        field: as the driver describes it, with PostgreSQL's type in its metadata.

    Raises:
        DatasetError: the type cannot be carried without loss.
    """
    told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    name = told.get("POSTGRESQL:type", "unknown")
    kind = arrow_type(name, int(told.get("POSTGRESQL:typmod", -1)))
    if kind is None:
        hint = "::numeric(18, 4)" if name == "numeric" else "::text"
        without = " without precision" if name == "numeric" else ""
        raise DatasetError(
            f"column `{field.name}` is of type {name}{without}, which cannot be carried exactly; "
            f"read a query that casts it, e.g. `{field.name}`{hint}, or leaves it out"
        )
    return pa.field(field.name, kind)


_Rule = tuple[Callable[[pa.DataType], bool], str, pa.DataType]
_NEW: tuple[_Rule, ...] = (
    (pa.types.is_boolean, "boolean", pa.bool_()),
    (lambda kind: kind in {pa.int8(), pa.uint8(), pa.int16()}, "smallint", pa.int16()),
    (lambda kind: kind in {pa.uint16(), pa.int32()}, "integer", pa.int32()),
    (lambda kind: kind in {pa.uint32(), pa.int64()}, "bigint", pa.int64()),
    (pa.types.is_uint64, "numeric(20, 0)", pa.decimal128(20, 0)),
    (lambda kind: kind in {pa.float16(), pa.float32()}, "real", pa.float32()),
    (pa.types.is_float64, "double precision", pa.float64()),
    (lambda kind: pa.types.is_null(kind) or is_text(kind), "text", pa.string()),
    (
        lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind),
        "bytea",
        pa.binary(),
    ),
    (pa.types.is_date, "date", pa.date32()),
    (pa.types.is_time, "time", pa.time64("us")),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is None, "timestamp", pa.timestamp("us")),
    (pa.types.is_timestamp, "timestamptz", _UTC),
    (lambda kind: kind == pa.uuid(), "uuid", pa.uuid()),
    (lambda kind: isinstance(kind, pa.JsonType), "json", pa.json_()),
)


def new_type(name: str, kind: pa.DataType) -> tuple[str, pa.DataType]:
    """Return the type of a new column that takes all values of an Arrow type, and the type the driver writes there.

    Args:
        name: of the column.
        kind: of its values.

    Raises:
        DatasetError: there is none.
    """
    if pa.types.is_decimal(kind) and 0 <= kind.scale <= kind.precision:
        make = pa.decimal128 if kind.precision <= _PRECISIONS[0] else pa.decimal256
        return f"numeric({kind.precision}, {kind.scale})", make(kind.precision, kind.scale)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = None if pa.types.is_nested(kind.value_type) else new_type(name, kind.value_type)
        if inner is not None:
            return f"{inner[0]}[]", pa.list_(inner[1])
    for accepts, told, written in _NEW:
        if accepts(kind):
            return told, written
    raise DatasetError(f"column `{name}` is of type {type_name(kind)}, which PostgreSQL has not; drop it in the policy")


def existing_type(name: str, kind: pa.DataType, type_in_table: str, typmod: int) -> pa.DataType:
    """Return the type the driver writes into a column that is there already.

    Args:
        name: of the column.
        kind: of the values.
        type_in_table: as in ``pg_type.typname``; ``enum`` for any enumeration.
        typmod: its modifier.

    Raises:
        DatasetError: values of the one kind are no values of the other.
    """
    natural = new_type(name, kind)[1]
    if type_in_table == "numeric" and typmod < 0 and pa.types.is_decimal(natural):
        return natural
    wanted = pa.string() if type_in_table == "enum" else arrow_type(type_in_table, typmod)
    if wanted is None or not _fits(natural, wanted):
        raise DatasetError(
            f"column `{name}` is {type_name(kind)} in the output and {type_in_table} in the table; "
            "change the one or the other"
        )
    return wanted


def _fits(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of one type can be those of another; how large they are is seen when they are written."""
    if given == wanted:
        return True
    if pa.types.is_list(given) and pa.types.is_list(wanted):
        return _fits(given.value_type, wanted.value_type)
    if pa.types.is_floating(given) and pa.types.is_floating(wanted):
        return bool(given.bit_width <= wanted.bit_width)
    return any(same(given) and same(wanted) for same in (pa.types.is_integer, pa.types.is_decimal))


_DAY_MICROSECONDS = 24 * 3600 * 1_000_000
_FIRST_DAY = -2_440_588  # 4713-11-24 BC, before which PostgreSQL has no dates (documentation, 8.5)


def read_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return what the driver read as engines take it.

    Args:
        array: numbers of exact type are text in it.
        kind: by `read_field`.

    Raises:
        DatasetError: a value is infinite or no number, which Arrow cannot say.
    """
    if pa.types.is_decimal(kind):
        try:
            return array.storage.cast(kind)
        except pa.ArrowInvalid:
            pass  # its words hold the value
        raise DatasetError("a value is NaN or infinite, which exact numbers in Arrow cannot be; leave such rows out")
    if pa.types.is_list(kind):
        read_array(array.flatten(), kind.value_type)
    if pa.types.is_temporal(kind) and not _is_finite(array):
        raise DatasetError("a time is infinite, or 24:00, which Arrow cannot say; leave such rows out")
    return array


def _is_finite(array: pa.Array) -> bool:
    """Whether no time is an infinity of PostgreSQL, which the driver turns to one before all times there are."""
    kind = array.type
    whole = array.view(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    least, most = pc.min_max(whole).values()
    if not least.is_valid:
        return True
    if pa.types.is_time(kind):
        return bool(most.as_py() < _DAY_MICROSECONDS)
    unit = 1 if pa.types.is_date32(kind) else _DAY_MICROSECONDS
    return bool(least.as_py() >= _FIRST_DAY * unit)


def written_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return values as the driver takes them.

    Args:
        array: of a type for which `new_type` or `existing_type` gave `kind`.
        kind: what it becomes.

    Raises:
        DatasetError: some values would not be the same afterwards.
    """
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        pass  # its words hold the value
    raise DatasetError(f"values do not fit {kind}: they are too large, or have more digits than it keeps")
