"""Format-preserving encryption FF1 (NIST SP 800-38G, section 5.1): text to text of the same characters and length."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa

from cape_airflow.kernels.aes import block_cipher
from cape_airflow.kernels.feistel import Feistel, Numerals
from cape_airflow.kernels.rows import bytes_of, from_bytes, gather, nulls, parts, scatter
from cape_airflow.kernels.script import Script

SMALLEST_DOMAIN = 1_000_000
"""Least radix^length that FF1 may be used for (NIST SP 800-38G Rev. 1, second public draft, 2025)."""


def ff1_encrypt(array: pa.Array, key: bytes, *, alphabet: str, tweak: bytes = b"", keep: str = "") -> pa.Array:
    """Return each value with its characters encrypted by FF1, all others where they were.

    Args:
        array: string or large_string, valid UTF-8.
        key: 16, 24 or 32 bytes of AES key.
        alphabet: 2 to 65,536 distinct code points; their places are the numerals, so that the radix is their number.
        tweak: any bytes, the same for every value.
        keep: code points, none of the alphabet, that stay where they are and are left out of what is encrypted.

    Returns:
        The same type; nulls stay null. Null, too, for a value with a code point neither in `alphabet` nor in `keep`,
        and one with so few of the alphabet that radix^number is below `SMALLEST_DOMAIN`: the caller counts them.

    Raises:
        ValueError: a key of another length; an alphabet of other size, with repetitions or overlapping `keep`.
    """
    return _converted(array, Script(alphabet, keep), _ciphers(key, alphabet, tweak), Feistel.encrypt)


def ff1_decrypt(array: pa.Array, key: bytes, *, alphabet: str, tweak: bytes = b"", keep: str = "") -> pa.Array:
    """Return what `ff1_encrypt` encrypted with the same arguments; whatever has the format decrypts to something."""
    return _converted(array, Script(alphabet, keep), _ciphers(key, alphabet, tweak), Feistel.decrypt)


def shortest(radix: int) -> int:
    """Return how many characters a value needs so that its domain is no smaller than `SMALLEST_DOMAIN`."""
    return next(length for length in range(2, 21) if radix**length >= SMALLEST_DOMAIN)


def _ciphers(key: bytes, alphabet: str, tweak: bytes) -> Callable[[int], Feistel]:
    """Return what gives FF1 for values of any length, made once for each."""
    cipher = block_cipher(key)
    return cache(lambda length: Feistel(cipher, len(alphabet), tweak, length))


def _converted(
    array: pa.Array, script: Script, ciphers: Callable[[int], Feistel], convert: Callable[[Feistel, Numerals], Numerals]
) -> pa.Array:
    text = script.read(*bytes_of(array))
    lengths = np.diff(text.offsets)
    taken = ~nulls(array) & ~text.has_foreign & (lengths >= shortest(script.radix))
    size = text.numerals.itemsize
    before, after = text.numerals.view(np.uint8), np.zeros_like(text.numerals).view(np.uint8)
    for members in parts(np.where(taken, lengths * size, 0), lengths):
        length, starts = int(lengths[members[0]]), text.offsets[members] * size
        rows = gather(before, starts, length * size).view(text.numerals.dtype)
        scatter(after, starts, convert(ciphers(length), rows).view(np.uint8))
    result = from_bytes(*script.write(text, after.view(text.numerals.dtype)), ~nulls(array), array.type)
    # Taking leaves nothing of a refused value behind, not even under its null.
    return result if taken.all() else result.take(pa.array(np.arange(len(array)), mask=~taken))
