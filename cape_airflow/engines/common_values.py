"""Which values of an input are in an output: compared by HMACs under a key of the moment, on a sample of any size.

The sample is of distinct values: those with the smallest HMACs. So it is drawn evenly, is the same whatever the order
of the rows, and takes as much memory for a hundred rows as for a billion. A value of the sample that came out anywhere
is found for certain; one that is not in it is not looked for.
"""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.jobs import Outcome
from cape_airflow.kernels import hmac_sha256
from cape_airflow.kernels.rows import bytes_of
from cape_airflow.transformations.grammar import Grammar

SAMPLE_VALUES = 65_536
"""Distinct values of a column that are looked for."""

_DIGEST = 8  # bytes: two of 10^8 values and a sample share one by chance once in a million verifications
_UNLIKELY = math.log(1e-9)  # of a right output that is called wrong

Digests = npt.NDArray[np.uint64]
Chances = npt.NDArray[np.float64]


class CommonValues:
    """One column: its distinct values in the input, and how many rows of the output have one of them.

    Args:
        grammar: of what comes out; it says how likely a result equals a value that went in.
        size: of the sample.
    """

    def __init__(self, grammar: Grammar, size: int = SAMPLE_VALUES) -> None:
        self._grammar = grammar
        self._size = size
        self._key = os.urandom(32)
        self._sample: Digests = np.empty(0, np.uint64)
        self._chances: Chances = np.empty(0)
        self._rows: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def went_in(self, text: pa.Array) -> None:
        """Take values of the input, before the first of the output; nulls are none."""
        values = pc.unique(text.drop_null())
        digests = self._digests(values)
        if len(self._sample) >= self._size:
            smaller = digests < self._sample[-1]
            values, digests = values.filter(pa.array(smaller)), digests[smaller]
        digests, first = np.unique(np.concatenate([self._sample, digests]), return_index=True)
        chances = np.concatenate([self._chances, chances_of(self._grammar, values)])
        self._sample, self._chances = digests[: self._size], chances[first][: self._size]
        self._rows = np.zeros(len(self._sample), np.int64)

    def came_out(self, text: pa.Array) -> None:
        """Look for values of the sample in the output."""
        if not len(self._sample):
            return
        digests = self._digests(text.drop_null())
        places = np.minimum(np.searchsorted(self._sample, digests), len(self._sample) - 1)
        np.add.at(self._rows, places[self._sample[places] == digests], 1)

    def found(self, rows: int) -> tuple[Outcome, int]:
        """Return what came of it, and the rows of the output with a value of the input.

        Results may equal a value that went in by chance: where a card number becomes another card number. It takes more
        than chance to break the promise; where chance could explain all, nothing is said.

        Args:
            rows: of the output.
        """
        likely = np.minimum(1.0, rows * self._chances)
        telling = likely < 0.5  # the others look like results already
        hit = telling & (self._rows > 0)
        by_chance = most_by_chance(float(likely[telling].sum()))
        if np.count_nonzero(hit) > by_chance:
            return Outcome.BROKEN, int(self._rows[hit].sum())
        if len(self._sample) and np.count_nonzero(telling) <= by_chance:
            return Outcome.UNCHECKED, 0
        return Outcome.KEPT, 0

    def _digests(self, values: pa.Array) -> Digests:
        data, _ = bytes_of(hmac_sha256(values, self._key, encoding="raw", stop=_DIGEST))
        return np.frombuffer(data.tobytes(), np.uint64)


def chances_of(grammar: Grammar, values: pa.Array) -> Chances:
    """Return how likely a result equals each of these values: 0 for those that do not look like one."""
    alike = pc.match_substring_regex(values, rf"\A(?:{grammar.pattern})\z").to_numpy(zero_copy_only=False)
    times = pc.count_substring_regex(values, grammar.each).to_numpy(zero_copy_only=False) if grammar.each else 1
    return np.where(alike, 2.0 ** -(grammar.bits * times), 0.0)


def most_by_chance(expected: float) -> int:
    """Return the most coincidences that are worth no word, where so many are expected (Chernoff's bound)."""
    most = math.floor(expected)
    while expected > 0 and (most + 1) * (1 + math.log(expected / (most + 1))) - expected > _UNLIKELY:
        most += 1
    return most
