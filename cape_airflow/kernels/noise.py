"""Noise from uniform 64-bit words, value by value in order, so that chunks make no difference.

Words come from the operating system: a seedable generator would let a reader who knows some true values work out its
state, and with it the noise of all others.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Words = Callable[[int], npt.NDArray[np.uint64]]
Floats = npt.NDArray[np.float64]


def system_words(count: int) -> npt.NDArray[np.uint64]:
    """Return uniform words of the operating system's generator."""
    return np.frombuffer(os.urandom(8 * count), np.uint64)


def seeded_words(seed: int) -> Words:
    """Return a repeatable source of words (PCG64), for tests only."""
    return np.random.PCG64(seed).random_raw


def integers(words: Words, count: int, low: int, high: int) -> npt.NDArray[np.int64]:
    """Return uniform integers from `low` to `high`, both included, without bias."""
    span = high - low + 1
    fair = np.uint64(2**64 - 1 - 2**64 % span)  # the last word of the last whole run of `span` words
    kept = np.empty(0, np.uint64)
    while len(kept) < count:
        drawn = words(count - len(kept))
        kept = np.concatenate([kept, drawn[drawn <= fair]])
    return (kept % np.uint64(span)).view(np.int64) + np.int64(low)


def unit_interval(words: Words, count: int) -> Floats:
    """Return uniform numbers of 53 bits in [0, 1)."""
    return (words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform(words: Words, count: int, low: float, high: float) -> Floats:
    """Return uniform numbers in [low, high]."""
    return low + (high - low) * unit_interval(words, count)


def gaussian(words: Words, count: int) -> Floats:
    """Return standard normal numbers (Box and Muller, 1958), two words each."""
    pairs = unit_interval(words, 2 * count).reshape(count, 2)
    return np.sqrt(-2.0 * np.log1p(-pairs[:, 0])) * np.cos(2.0 * np.pi * pairs[:, 1])


def laplace(words: Words, count: int) -> Floats:
    """Return Laplace numbers of scale 1 (by the inverse of the distribution function)."""
    centred = unit_interval(words, count) - 0.5 + 2.0**-54  # never -0.5, whose logarithm is infinite
    return -np.sign(centred) * np.log1p(-2.0 * np.abs(centred))
