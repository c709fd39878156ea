"""Noise from uniform 64-bit words, so many per value that chunks make no difference.

Words come from the operating system: a seedable generator would let a reader who knows some true values work out its
state, and with it the noise of all others. Or they are keyed, by the value or by a text: equal ones get equal words.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.kernels import hmac_sha256, prf_words
from cape_airflow.kernels.encode import encoded_first
from cape_airflow.kernels.rows import bytes_of
from cape_airflow.kernels.text import canonical_text

Words = Callable[[int], npt.NDArray[np.uint64]]
"""Gives the next so many words."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_DIGEST = 16  # bytes: so many that two texts never meet


def system_words(number: int) -> npt.NDArray[np.uint64]:
    """Return uniform words of the operating system's generator."""
    return np.frombuffer(os.urandom(8 * number), np.uint64)


def seeded_words(seed: int) -> Words:
    """Return a repeatable source of words (PCG64), for tests only."""
    return np.random.PCG64(seed).random_raw


def text_words(array: pa.Array, key: bytes) -> npt.NDArray[np.uint64]:
    """Return two words per value that stand for its canonical text: the first half of its HMAC-SHA-256.

    Args:
        array: of a type that has canonical text (see `kernels.text`); equal text has equal words, whatever the type.
        key: of the HMAC.

    Returns:
        Shape (values, 2); of no meaning where null.

    Raises:
        ValueRefused: text that is not UTF-8.
    """

    def digests(part: pa.Array) -> pa.Array:
        return hmac_sha256(canonical_text(part), key, encoding="raw", stop=_DIGEST)

    halves, _ = bytes_of(pc.fill_null(encoded_first(digests, array), bytes(_DIGEST)))
    return halves.view("<u8").astype(np.uint64, copy=False).reshape(-1, 2)


class Draws(ABC):
    """Noise for a number of values."""

    @abstractmethod
    def words(self, each: int) -> npt.NDArray[np.uint64]:
        """Return one or two uniform words for every value: shape (values, each)."""

    @abstractmethod
    def words_up_to(self, last: np.uint64) -> npt.NDArray[np.uint64]:
        """Return for every value a uniform word from 0 to `last`, that is at least 2^63."""

    def integers(self, low: int, high: int) -> Integers:
        """Return uniform integers from `low` to `high`, both included and less than 2^64 apart, without bias."""
        span = high - low + 1
        words = self.words_up_to(np.uint64(2**64 - 1 - 2**64 % span))  # of whole runs of `span` words
        steps = words - words // np.uint64(span) * np.uint64(span)  # faster than % in numpy
        return steps.view(np.int64) + np.int64(low)

    def unit_interval(self, each: int) -> Floats:
        """Return one or two uniform numbers of 53 bits in [0, 1) for every value: shape (each, values)."""
        numbers: Floats = (np.ascontiguousarray(self.words(each).T) >> np.uint64(11)).astype(np.float64)
        numbers *= 2.0**-53
        return numbers

    def uniform(self, low: float, high: float) -> Floats:
        """Return uniform numbers in [low, high]."""
        numbers: Floats = low + (high - low) * self.unit_interval(1)[0]
        return numbers

    def gaussian(self) -> Floats:
        """Return standard normal numbers (Box and Muller, 1958)."""
        radius, angle = self.unit_interval(2)
        np.log1p(np.negative(radius, out=radius), out=radius)  # in place: new memory takes longer than the logarithm
        np.sqrt(np.multiply(radius, -2.0, out=radius), out=radius)
        np.cos(np.multiply(angle, 2.0 * np.pi, out=angle), out=angle)
        normal: Floats = np.multiply(radius, angle, out=radius)
        return normal

    def laplace(self) -> Floats:
        """Return Laplace numbers of scale 1 (by the inverse of the distribution function)."""
        centred = self.unit_interval(1)[0] - 0.5 + 2.0**-54  # never -0.5, whose logarithm is infinite
        double: Floats = np.copysign(np.log1p(-2.0 * np.abs(centred)), centred)
        return double


class Stream(Draws):
    """Noise from the next words of a source.

    Args:
        words: the source.
        number: of values.
    """

    def __init__(self, words: Words, number: int) -> None:
        self._next, self._number = words, number

    def words(self, each: int) -> npt.NDArray[np.uint64]:
        """Return the next words."""
        return self._next(self._number * each).reshape(self._number, each)

    def words_up_to(self, last: np.uint64) -> npt.NDArray[np.uint64]:
        """Return the next words that are not above `last`; the others are lost."""
        kept = self._next(self._number)
        while (kept > last).any():
            kept = kept[kept <= last]
            kept = np.concatenate([kept, self._next(self._number - len(kept))])
        return kept


class Keyed(Draws):
    """Noise that is a function of a key and of words: of the value (`words_of`) or of a text (`text_words`).

    Args:
        values: shape (values, words of each); the noise is drawn by `prf_words`.
        key: 16, 24 or 32 bytes of AES key.
    """

    def __init__(self, values: npt.NDArray[np.uint64], key: bytes) -> None:
        self._values, self._key = values, key

    def words(self, each: int) -> npt.NDArray[np.uint64]:
        """Return the first words of every value."""
        return prf_words(self._values, self._key)[:, :each]

    def words_up_to(self, last: np.uint64) -> npt.NDArray[np.uint64]:
        """Return of every value the first word, of every other two, that is not above `last`."""
        words = np.ascontiguousarray(self.words(1)[:, 0])
        above = np.flatnonzero(words > last)
        for draw in count(1):
            if not len(above):
                break
            words[above] = prf_words(self._values[above], self._key, draw)[:, 0]
            above = above[words[above] > last]
        return words
