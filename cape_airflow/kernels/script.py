"""Text as the numerals of an alphabet, and back; characters that stay are put aside meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cape_airflow.kernels.rows import Bytes, Lengths, offsets_of

Units = npt.NDArray[Any]
"""One number per character: uint8 if alphabet and kept characters are all ASCII, else uint32."""

_LARGEST = 2**16
_LONGER = np.array([0x80, 0x800, 0x10000], np.uint32)  # from which on UTF-8 takes one more byte


@dataclass(frozen=True)
class Reading:
    """A column of text, read.

    Args:
        numerals: of all values, one after the other.
        offsets: where the numerals of each value begin, and where the last ones end.
        has_foreign: per value, whether it has characters that are neither in the alphabet nor kept.
        characters: the code points (or ASCII bytes) of the text.
        ends: `offsets` in `characters`.
        is_numeral: which characters are numerals; None for all.
    """

    numerals: Units
    offsets: Lengths
    has_foreign: npt.NDArray[np.bool_]
    characters: Units
    ends: Lengths
    is_numeral: npt.NDArray[np.bool_] | None = None


class Script:
    """An alphabet, and characters that are kept.

    Args:
        alphabet: 2 to 65,536 distinct code points; the place of each is its numeral.
        keep: code points, none of the alphabet.

    Raises:
        ValueError: another number of code points; repetitions; code points that are in both.
    """

    def __init__(self, alphabet: str, keep: str) -> None:
        if not 2 <= len(alphabet) == len(set(alphabet)) <= _LARGEST or set(alphabet) & set(keep):
            raise ValueError("an alphabet has 2 to 65,536 distinct characters, none of which is kept")
        self.radix = len(alphabet)
        self._is_ascii = (alphabet + keep).isascii()
        unit = np.uint8 if self._is_ascii else np.uint32
        self._characters, kept = _code_points(alphabet).astype(unit), _code_points(keep)
        self._kept, foreign = np.iinfo(unit).max - 1, np.iinfo(unit).max
        size = 256 if self._is_ascii else max(self._characters.max(), kept.max(initial=0)) + 2
        self._numerals = np.full(size, foreign, unit)
        self._numerals[kept] = self._kept
        self._numerals[self._characters] = np.arange(self.radix)

    def read(self, data: Bytes, offsets: Lengths) -> Reading:
        """Read text of UTF-8 bytes, and where in them each value begins."""
        characters, ends = (data, offsets) if self._is_ascii else _decoded(data, offsets)
        found = _looked_up(self._numerals, characters)
        is_numeral = found < self._kept
        if is_numeral.all():
            return Reading(found, ends, np.zeros(len(ends) - 1, bool), characters, ends)
        places, foreign = offsets_of(is_numeral)[ends], offsets_of(found > self._kept)[ends]
        return Reading(found[is_numeral], places, np.diff(foreign) > 0, characters, ends, is_numeral)

    def write(self, reading: Reading, numerals: Units) -> tuple[Bytes, Lengths]:
        """Return UTF-8 bytes and offsets of the text with other numerals in the places of those that were read."""
        characters = _looked_up(self._characters, numerals)
        if reading.is_numeral is not None:
            written, characters = characters, reading.characters.copy()
            characters[reading.is_numeral] = written
        return (characters, reading.ends) if self._is_ascii else _encoded(characters, reading.ends)


def _looked_up(table: Units, places: Units) -> Units:
    """Return the entry of each place, the last one for places past the end."""
    if table.dtype == np.uint8:  # ten times as fast as numpy
        whole = table.tobytes().ljust(256, table[-1:].tobytes())
        return np.frombuffer(places.tobytes().translate(whole), np.uint8)
    return table.take(places, mode="clip")


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _decoded(data: Bytes, offsets: Lengths) -> tuple[Units, Lengths]:
    begins = (data & 0xC0) != 0x80  # every byte but those that go on with a character
    return _code_points(data.tobytes().decode()), offsets_of(begins)[offsets]


def _encoded(characters: Units, ends: Lengths) -> tuple[Bytes, Lengths]:
    sizes = np.searchsorted(_LONGER, characters, side="right") + 1
    data = characters.astype("<u4").tobytes().decode("utf-32-le").encode()
    return np.frombuffer(data, np.uint8), offsets_of(sizes)[ends]
