"""Format-preserving encryption FF1 (NIST SP 800-38G, section 5.1): text to text of the same characters and length."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cape_airflow.kernels.text import text_type

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
    return _each(array, key, alphabet, tweak, keep, range(10))


def ff1_decrypt(array: pa.Array, key: bytes, *, alphabet: str, tweak: bytes = b"", keep: str = "") -> pa.Array:
    """Return what `ff1_encrypt` encrypted with the same arguments; whatever has the format decrypts to something."""
    return _each(array, key, alphabet, tweak, keep, range(9, -1, -1))


def _each(  # noqa: PLR0917 - replaced by the bulk form
    array: pa.Array, key: bytes, alphabet: str, tweak: bytes, keep: str, rounds: range
) -> pa.Array:
    if not 2 <= len(alphabet) == len(set(alphabet)) <= 2**16 or set(alphabet) & set(keep):
        raise ValueError("an FF1 alphabet has 2 to 65,536 distinct characters, none of which is kept")
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305 - the block cipher itself
    place = {character: number for number, character in enumerate(alphabet)}

    def value(text: str | None) -> str | None:
        if text is None:
            return None
        numerals = [place[character] for character in text if character in place]
        if len(alphabet) ** len(numerals) < SMALLEST_DOMAIN:
            return None
        if any(character not in place and character not in keep for character in text):
            return None
        result = iter(_feistel(numerals, len(alphabet), tweak, encrypt, rounds))
        return "".join(alphabet[next(result)] if character in place else character for character in text)

    return pa.array([value(text) for text in array.to_pylist()], text_type(array.type))


def _feistel(
    numerals: list[int], radix: int, tweak: bytes, encrypt: Callable[[bytes], bytes], rounds: range
) -> list[int]:
    n, u = len(numerals), len(numerals) // 2
    halves = [_number(numerals[:u], radix), _number(numerals[u:], radix)]
    sizes = [u, n - u]
    b = ((radix ** (n - u) - 1).bit_length() + 7) // 8
    d = 4 * -(-b // 4) + 4
    head = bytes([1, 2, 1, *radix.to_bytes(3, "big"), 10, u % 256]) + n.to_bytes(4, "big")
    head += len(tweak).to_bytes(4, "big") + tweak + bytes((-len(tweak) - b - 1) % 16)
    for i in rounds:
        mixed, other = i % 2, 1 - i % 2  # the half that this round changes, and the one that it reads
        r = bytes(16)
        message = head + bytes([i]) + halves[other].to_bytes(b, "big")
        for start in range(0, len(message), 16):
            r = encrypt(_xor(r, message[start : start + 16]))
        blocks = [r, *(encrypt(_xor(r, j.to_bytes(16, "big"))) for j in range(1, -(-d // 16)))]
        y = int.from_bytes(b"".join(blocks)[:d], "big")
        y = y if rounds.step > 0 else -y
        halves[mixed] = (halves[mixed] + y) % radix ** sizes[mixed]
    return [digit for half, size in zip(halves, sizes, strict=True) for digit in _digits(half, size, radix)]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))


def _number(numerals: list[int], radix: int) -> int:
    number = 0
    for numeral in numerals:
        number = number * radix + numeral
    return number


def _digits(number: int, size: int, radix: int) -> list[int]:
    return [number // radix**power % radix for power in range(size - 1, -1, -1)]
