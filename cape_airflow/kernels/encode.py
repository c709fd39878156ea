"""Encode first when it pays: a column that repeats goes through a costly kernel by its distinct values."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels.choice import is_native
from cape_airflow.kernels.refusal import ArrayFunction
from cape_airflow.kernels.text import without_views

_MOST = 1 / 3 if is_native() else 2 / 3
"""Distinct values per value up to which encoding costs less than it saves: measured with hash and AES-SIV."""

_SAMPLE = 1024
_EVERY = 16
"""The sample is one value in so many, and at most `_SAMPLE`; below 64 it would tell nothing."""


def encoded_first(function: ArrayFunction, array: pa.Array) -> pa.Array:
    """Return ``function(array)``, by way of the distinct values where a sample says that they are few.

    Args:
        function: looks at one value at a time; null in, null out.
        array: of a type that Arrow can encode as a dictionary.

    Raises:
        ValueRefused: as the function does, with every row counted.
    """
    plain = array.cast(without_views(array.type))
    if not repeats(plain):
        return function(plain)
    encoded = plain.dictionary_encode()
    try:
        return function(encoded.dictionary).take(encoded.indices)
    except ValueRefused:
        return function(plain)  # which counts the rows, not the distinct values


def repeats(array: pa.Array) -> bool:
    """Whether a sample says that few enough of the values are distinct.

    Args:
        array: of no view type.
    """
    return distinct_share(array) < _MOST


def distinct_share(array: pa.Array) -> float:
    """Return the share of distinct values among those that are not null, as a sample estimates it (Chao, 1984).

    Args:
        array: of no view type.

    Returns:
        Up to 1; and 1 where there are no values, or too few for a sample.
    """
    size = min(len(array) // _EVERY, _SAMPLE)
    if size < _SAMPLE // 16 or array.null_count == len(array):
        return 1.0
    counts = array.take(_places(len(array), size)).drop_null().value_counts().field("counts").to_numpy()
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    distinct = len(counts) + once * (once - 1) / (2 * (twice + 1))
    return float(min(distinct / (len(array) - array.null_count), 1.0))


@lru_cache(maxsize=16)
def _places(length: int, size: int) -> pa.Array:
    """Return which values make the sample: always the same ones, for what it decides shows in nothing but the time."""
    return pa.array(np.unique(np.random.default_rng(0).integers(0, length, size)))
