"""Types of SQLAlchemy and of Arrow."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa  # noqa: TID253 - see connecting.py

from cape_airflow.arrow_types import type_name
from cape_airflow.datasets.formats.types import is_text
from cape_airflow.errors import DatasetError

SqlType = sa.types.TypeEngine[Any]

_READ: tuple[tuple[type[SqlType], pa.DataType], ...] = (
    (sa.Boolean, pa.bool_()),
    (sa.Integer, pa.int64()),
    (sa.Float, pa.float64()),
    (sa.String, pa.string()),
    (sa.LargeBinary, pa.binary()),
    (sa.Date, pa.date32()),
    (sa.Time, pa.time64("us")),
)
_MOST_DIGITS = 38  # of decimal128


def read_type(name: str, kind: SqlType) -> pa.DataType:
    """Return the Arrow type of a column as the database declares it.

    Raises:
        DatasetError: there is none that carries all its values.
    """
    if isinstance(kind, sa.DateTime):
        return pa.timestamp("us", "UTC" if kind.timezone else None)
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        if kind.precision and kind.precision <= _MOST_DIGITS:
            return pa.decimal128(kind.precision, kind.scale or 0)
    else:
        for declared, read in _READ:
            if isinstance(kind, declared):
                return read
    raise DatasetError(
        f"column `{name}` is of type {type(kind).__name__}, which has no exact counterpart; "
        "give its type in column_types of source_options, or read a query that casts it"
    )


def new_type(name: str, kind: pa.DataType) -> SqlType:
    """Return the type of a new column for values of an Arrow type.

    Raises:
        DatasetError: there is none.
    """
    kinds: tuple[tuple[bool, SqlType], ...] = (
        (pa.types.is_boolean(kind), sa.Boolean()),
        (pa.types.is_integer(kind) and kind != pa.uint64(), sa.BigInteger()),
        (pa.types.is_floating(kind), sa.Double()),
        (pa.types.is_null(kind) or is_text(kind), sa.Text()),
        (pa.types.is_binary(kind) or pa.types.is_large_binary(kind), sa.LargeBinary()),
        (pa.types.is_date(kind), sa.Date()),
        (pa.types.is_time(kind), sa.Time()),
        (pa.types.is_timestamp(kind), sa.DateTime(timezone=pa.types.is_timestamp(kind) and kind.tz is not None)),
    )
    if pa.types.is_decimal(kind):
        return sa.Numeric(kind.precision, kind.scale)
    for accepts, made in kinds:
        if accepts:
            return made
    raise DatasetError(f"column `{name}` is of type {type_name(kind)}, which databases have not; drop it in the policy")


def check_type(name: str, kind: pa.DataType, column: SqlType) -> None:
    """Refuse values of one kind for an existing column of another.

    Raises:
        DatasetError: names the column.
    """
    wanted, given = _family(column), _family(new_type(name, kind))
    if wanted != given:
        raise DatasetError(f"column `{name}` is {given} in the output and {wanted} in the table; change one of them")


def _family(kind: SqlType) -> str:
    families = (sa.Boolean, sa.Integer, sa.Float, sa.Numeric, sa.String, sa.LargeBinary, sa.Date, sa.Time)
    if isinstance(kind, sa.DateTime):
        return "timestamp"
    found = next((each for each in families if isinstance(kind, each)), type(kind))
    return found.__name__.lower()
