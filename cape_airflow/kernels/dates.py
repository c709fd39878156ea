"""Dates and timestamps: their ticks, and the floor to a calendar unit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.kernels.numbers import refuse_where, to_numpy

SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
"""Length of the units that have one."""

_LONGER_THAN_A_YEAR = 400 * SECONDS["day"]
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def is_temporal(column_type: pa.DataType) -> bool:
    """Whether the type is a date or a timestamp."""
    return bool(pa.types.is_date(column_type) or pa.types.is_timestamp(column_type))


def ticks(column_type: pa.DataType, seconds: int) -> int:
    """Return a duration in the ticks of a date or timestamp type; in whole days, toward the past, for dates."""
    if pa.types.is_timestamp(column_type):
        return seconds * _TICKS_PER_SECOND[column_type.unit]
    days = seconds // SECONDS["day"]
    return days * (86_400_000 if pa.types.is_date64(column_type) else 1)


def floor(array: pa.Array, unit: str) -> pa.Array:
    """Return the start of the year, quarter, month, week (Monday), day, hour, minute or second of each value.

    Args:
        array: dates or timestamps; timestamps with a zone are floored in the zone's local time.

    Returns:
        The same type. Where a clock change leaves out the local start, the first moment after it; where it comes
        twice, the earlier one.

    Raises:
        ValueRefused: the start lies before the earliest moment that the type can hold.
    """
    zone = array.type.tz if pa.types.is_timestamp(array.type) else None
    local = pc.local_timestamp(array) if zone else array
    start = pc.floor_temporal(local, unit=unit)
    floored = pc.assume_timezone(start, zone, ambiguous="earliest", nonexistent="latest") if zone else start
    # Near the ends of the type Arrow wraps round without a word: a step of centuries, where none is above a year.
    stages = np.stack([to_numpy(stage).astype(np.float64) for stage in (array, local, start, floored)])
    wrapped = np.any(np.abs(np.diff(stages, axis=0)) > ticks(array.type, _LONGER_THAN_A_YEAR), axis=0)
    refuse_where(wrapped, array, f"no start of the {unit} within {array.type}; use a coarser timestamp unit")
    return floored
