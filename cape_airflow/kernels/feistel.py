"""The rounds of FF1 (NIST SP 800-38G, algorithms 7 and 8) over rows of numerals, in whole numbers only.

The two halves of a value are numbers of any size. They are held as *limbs*: one array per limb, the lowest first, of
as many digits as fit 32 bits, so that every product and every remainder fits 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cape_airflow.kernels.aes import BLOCK, BlockCipher, Words, swapped, to_words

Numerals = npt.NDArray[Any]
"""Unsigned integers below the radix, of any width."""

Limbs = list[npt.NDArray[np.uint64]]

_ROUNDS = 10
_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)


class Feistel:
    """FF1 for values of one length.

    Args:
        cipher: AES under the key.
        radix: 2 to 65,536.
        tweak: any bytes.
        length: numerals of a value, two at least.
    """

    def __init__(self, cipher: BlockCipher, radix: int, tweak: bytes, length: int) -> None:
        self._encrypt, self._radix, self._tweak, self._length = cipher, radix, tweak, length
        self._sizes = (length // 2, length - length // 2)
        digits = max(digits for digits in range(1, 33) if radix**digits <= 2**32)
        self._places = [_places(size, digits) for size in self._sizes]
        self._bases = [[np.uint64(radix ** (stop - start)) for start, stop in places] for places in self._places]

    def encrypt(self, rows: Numerals) -> Numerals:
        """Return rows of the same shape and type."""
        halves = self._read(rows)
        for number in range(_ROUNDS):
            changed = number % 2
            y = self._pseudorandom(number, halves[1 - changed])
            halves[changed] = _sum(halves[changed], y, self._bases[changed])
        return self._written(halves, rows)

    def decrypt(self, rows: Numerals) -> Numerals:
        """Return what `encrypt` took."""
        halves = self._read(rows)
        for number in reversed(range(_ROUNDS)):
            changed = number % 2
            y = self._pseudorandom(number, halves[1 - changed])
            halves[changed] = _difference(halves[changed], y, self._bases[changed])
        return self._written(halves, rows)

    def _read(self, rows: Numerals) -> list[Limbs]:
        radix, first = np.uint64(self._radix), self._sizes[0]
        halves = []
        for half, places in zip((rows[:, :first], rows[:, first:]), self._places, strict=True):
            limbs = []
            for start, stop in places:
                limb = half[:, start].astype(np.uint64)
                for place in range(start + 1, stop):
                    limb *= radix
                    limb += half[:, place]
                limbs.append(limb)
            halves.append(limbs)
        return halves

    def _written(self, halves: list[Limbs], like: Numerals) -> Numerals:
        rows, radix = np.empty_like(like), np.uint32(self._radix)
        for offset, limbs, places in zip((0, self._sizes[0]), halves, self._places, strict=True):
            for limb, (start, stop) in zip(limbs, places, strict=True):
                rest = limb.astype(np.uint32)
                for place in range(offset + stop - 1, offset + start, -1):
                    higher = rest // radix
                    rows[:, place] = rest - higher * radix
                    rest = higher
                rows[:, offset + start] = rest
        return rows

    def _pseudorandom(self, number: int, half: Limbs) -> Limbs:
        """Return y of the round, steps 6.i to 6.iv, modulo what the changed half can hold (step 6.vi)."""
        mixed = self._mac(number, _words(half, self._bases[1 - number % 2], self._width))
        counters = range(1, -(-self._drawn // BLOCK))
        blocks = [mixed, *(self._encrypt(mixed ^ to_words(j.to_bytes(BLOCK, "big"))) for j in counters)]
        bases = self._bases[number % 2]
        if self._drawn == 8 and len(bases) == 1:
            y = swapped(mixed[:, 0])
            return [y - y // bases[0] * bases[0]]
        drawn = [swapped(block[:, side]) for block in blocks for side in (0, 1)]
        words = [part for word in drawn for part in (word >> _HALF, word & _LOW)]
        return _remainders(words[: self._drawn // 4], bases)

    @cached_property
    def _width(self) -> int:
        """Bytes of the longer half as a number: b of step 3."""
        largest: int = self._radix ** self._sizes[1] - 1
        return (largest.bit_length() + 7) // 8

    @cached_property
    def _drawn(self) -> int:
        """Bytes drawn per round: d of step 4."""
        return 4 * -(-self._width // 4) + 4

    def _mac(self, number: int, words: Limbs) -> Words:
        """Return PRF(P || Q), steps 6.i and 6.ii, given the 64-bit words of the number in Q, the lowest first."""
        constants = self._tails[number]
        blocks = np.empty((len(words[0]), len(constants)), np.uint64)
        for place, constant in enumerate(reversed(constants)):
            blocks[:, -1 - place] = swapped(words[place]) ^ constant if place < len(words) else constant
        state = self._encrypt(blocks[:, :2])
        for start in range(2, len(constants), 2):
            state = self._encrypt(state ^ blocks[:, start : start + 2])
        return state

    @cached_property
    def _tails(self) -> list[Words]:
        """The blocks of P || Q that differ from value to value, per round: without the number, with the MAC so far."""
        head = bytes([1, 2, 1, *self._radix.to_bytes(3, "big"), _ROUNDS, self._sizes[0] % 256])
        head += self._length.to_bytes(4, "big") + len(self._tweak).to_bytes(4, "big")
        head += self._tweak + bytes((-len(self._tweak) - self._width - 1) % BLOCK)
        varying = -(-(self._width + 1) // BLOCK) * BLOCK
        fixed = len(head) + 1 + self._width - varying
        state = to_words(bytes(BLOCK))
        for start in range(0, fixed, BLOCK):
            state = self._encrypt(state ^ to_words(head[start : start + BLOCK]))
        tails = []
        for number in range(_ROUNDS):
            tail = to_words(head[fixed:] + bytes([number]) + bytes(self._width)).copy()
            tail[:2] ^= state
            tails.append(tail)
        return tails


def _places(size: int, digits: int) -> list[tuple[int, int]]:
    """Return from where to where each limb of a number of `size` digits goes, the lowest limb first."""
    return [(max(0, stop - digits), stop) for stop in range(size, 0, -digits)]


def _sum(limbs: Limbs, others: Limbs, bases: Sequence[np.uint64]) -> Limbs:
    """Return the sum modulo the product of the bases."""
    total, carry = Limbs(), np.zeros(1, np.uint64)
    for limb, other, base in zip(limbs, others, bases, strict=True):
        raw = limb + (other + carry)
        over = raw >= base
        total.append(raw - over * base)
        carry = over.astype(np.uint64)
    return total


def _difference(limbs: Limbs, others: Limbs, bases: Sequence[np.uint64]) -> Limbs:
    """Return the difference modulo the product of the bases."""
    rest, borrow = Limbs(), np.zeros(1, np.uint64)
    for limb, other, base in zip(limbs, others, bases, strict=True):
        raw = limb - (other + borrow)
        under = raw > limb
        rest.append(raw + under * base)
        borrow = under.astype(np.uint64)
    return rest


def _words(limbs: Limbs, bases: Sequence[np.uint64], width: int) -> Limbs:
    """Return a number of at most `width` bytes as 64-bit words, the lowest first."""
    if len(limbs) == 1:
        return limbs
    halves = [limbs[-1], *(np.zeros_like(limbs[0]) for _ in range(-(-width // 4) - 1))]
    for limb, base in zip(reversed(limbs[:-1]), reversed(bases[:-1]), strict=True):
        carry = limb
        for place, half in enumerate(halves):
            product = half * base + carry
            halves[place], carry = product & _LOW, product >> _HALF
    halves += [np.zeros_like(limbs[0])] * (len(halves) % 2)
    return [low | high << _HALF for low, high in zip(halves[::2], halves[1::2], strict=True)]


def _remainders(words: Limbs, bases: Sequence[np.uint64]) -> Limbs:
    """Return the limbs of a number of 32-bit words, the highest first, as far as there are bases."""
    limbs = []
    for base in bases:
        rest, quotients = np.zeros_like(words[0]), []
        for word in words:
            raw = rest << _HALF | word
            quotient = raw // base
            rest = raw - quotient * base
            quotients.append(quotient)
        limbs.append(rest)
        words = quotients
    return limbs
