"""Dates and timestamps: their ticks, and the floor to a calendar unit."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.kernels.numbers import from_numpy, refuse_where, to_numpy

SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
"""Length of the units that have one."""

_LONGER_THAN_A_YEAR = 400 * SECONDS["day"]
_CALENDAR = 30_000 * 365 * SECONDS["day"]
_FIRST_DAY = (date(1900, 1, 1) - date(1970, 1, 1)).days
_DAYS_AFTER_1970 = (date(2100, 1, 1) - date(1970, 1, 1)).days
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
    if zone == "UTC":
        return floor(array.view(pa.timestamp(array.type.unit)), unit).view(array.type)
    local = pc.local_timestamp(array) if zone else array
    start = _local_floor(local, unit)
    floored = pc.assume_timezone(start, zone, ambiguous="earliest", nonexistent="latest") if zone else start
    if not _is_usual(array):
        # Far out Arrow wraps round without a word: a step of centuries, where none is above a year.
        longest = ticks(array.type, _LONGER_THAN_A_YEAR)
        stages = np.stack([to_numpy(stage).astype(np.float64) for stage in (array, local, start, floored)])
        wrapped = np.any(np.abs(np.diff(stages, axis=0)) > longest, axis=0)
        refuse_where(wrapped, array, f"no start of the {unit} within {array.type}; use a coarser timestamp unit")
    return floored


def _local_floor(array: pa.Array, unit: str) -> pa.Array:
    """Return Arrow's floor; of years, quarters and months between 1900 and 2099 by a table, five times as fast."""
    if unit not in SECONDS and len(array):
        day = ticks(array.type, SECONDS["day"])
        starts = _starts(unit)
        places = to_numpy(array) // day - _FIRST_DAY
        if places.min() >= 0 and places.max() < len(starts):
            return from_numpy(starts.take(places) * day, array, array.type)
    return pc.floor_temporal(array, unit=unit)


@cache
def _starts(unit: str) -> npt.NDArray[np.int64]:
    """Return the start of the unit, in days from 1970, for every day from 1900 to 2099."""
    days = pa.array(np.arange(_FIRST_DAY, _DAYS_AFTER_1970, dtype=np.int32)).view(pa.date32())
    return to_numpy(pc.floor_temporal(days, unit=unit)).astype(np.int64)


def _is_usual(array: pa.Array) -> bool:
    """Whether all values are well within what the type and Arrow's calendar, of some 32,000 years, can hold."""
    values = to_numpy(array)
    ends = np.iinfo(values.dtype)
    distance = ticks(array.type, _LONGER_THAN_A_YEAR)
    least = max(ends.min + distance, -ticks(array.type, _CALENDAR))
    most = min(ends.max - distance, ticks(array.type, _CALENDAR))
    return not len(values) or bool(least < int(values.min()) and int(values.max()) < most)
