"""What results look like, so that whoever reads an output again can tell them from what went in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

VERSION = "version"
"""The group of a pattern that is the version of the key."""

ANY_VERSION = rf"(?P<{VERSION}>[1-9][0-9]{{0,8}})"

CERTAIN = 256.0
"""Bits of a grammar that no value has by chance."""

_LONGEST_REPEAT = 1000  # RE2 takes no more


@dataclass(frozen=True)
class Grammar:
    """What every value that comes out of a technique looks like, and how likely one equals a value that went in.

    Args:
        pattern: regular expression of RE2 for the whole text of a value (raw tokens: for its bytes); its group
            ``version``, where it has one, is the version of the technique's key.
        bits: a value that went in and looks like this is the result of another one with a chance of 2**-bits; one
            that does not is never.
        each: regular expression; `bits` then count for every match of it in the value.
    """

    pattern: str
    bits: float = CERTAIN
    each: str | None = None

    @property
    def has_version(self) -> bool:
        """Whether results tell the version of their key."""
        return f"?P<{VERSION}>" in self.pattern


def repeated(pattern: str, count: int) -> str:
    """Return a pattern for exactly so many; for any number where RE2 cannot count so far."""
    return f"(?:{pattern}){{{count}}}" if count <= _LONGEST_REPEAT else f"(?:{pattern})*"


def literal(text: str) -> str:
    """Return a pattern for a text; code points as RE2 writes them."""
    return "".join(_code(ord(character)) for character in text)


def one_of(characters: Iterable[str]) -> str:
    """Return a pattern for one of some characters, at least one; runs of neighbours are written as ranges."""
    codes = sorted(set(map(ord, characters)))
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda each: each[1] - each[0])]
    return "[" + "".join(f"{_code(run[0])}-{_code(run[-1])}" for run in runs) + "]"


def _code(code: int) -> str:
    return f"\\x{{{code:x}}}"
