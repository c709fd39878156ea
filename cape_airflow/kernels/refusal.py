"""Turn errors of Arrow and of codecs, which show values, into `ValueRefused`, which counts them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa

from cape_airflow.errors import ValueRefused

ArrayFunction = Callable[[pa.Array], pa.Array]


def refusing(function: ArrayFunction, array: pa.Array, why: str) -> pa.Array:
    """Return ``function(array)``.

    Args:
        function: raises ArrowInvalid or UnicodeError where it cannot take a value; looks at one value at a time.
        array: any array.
        why: completes "N values refused: ...", with the way out.

    Raises:
        ValueRefused: the function cannot take some values; not raised from its error, which may show a value.
    """
    with suppress(pa.ArrowInvalid, UnicodeError):
        return function(array)
    raise refused(_count(function, array), why)


def refused(count: int, why: str) -> ValueRefused:
    """Return the error for `count` values: what they are, or are not, and the way out."""
    return ValueRefused(f"{count} value{'s' if count != 1 else ''} refused: {why}")


def _count(function: ArrayFunction, array: pa.Array) -> int:
    """Count the refused values by halving: few calls where few are refused."""
    with suppress(pa.ArrowInvalid, UnicodeError):
        function(array)
        return 0
    if len(array) == 1:
        return 1
    middle = len(array) // 2
    return _count(function, array[:middle]) + _count(function, array[middle:])
