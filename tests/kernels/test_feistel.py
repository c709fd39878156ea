from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.aes import block_cipher
from cape_airflow.kernels.feistel import Feistel


def _ff1(numerals: list[int], radix: int, key: bytes, tweak: bytes) -> list[int]:
    """FF1 as the standard writes it, with Python's numbers of any size."""
    n, u = len(numerals), len(numerals) // 2
    sizes = (u, n - u)
    halves = [_number(numerals[:u], radix), _number(numerals[u:], radix)]
    b = ((radix ** (n - u) - 1).bit_length() + 7) // 8
    d = 4 * -(-b // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big")
    p += len(tweak).to_bytes(4, "big")
    for i in range(10):
        changed, other = i % 2, 1 - i % 2
        q = tweak + bytes((-len(tweak) - b - 1) % 16) + bytes([i]) + halves[other].to_bytes(b, "big")
        r = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(p + q)[-16:]
        s = r
        for j in range(1, -(-d // 16)):
            block = (int.from_bytes(r, "big") ^ j).to_bytes(16, "big")
            s += Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(block)
        halves[changed] = (halves[changed] + int.from_bytes(s[:d], "big")) % radix ** sizes[changed]
    return [
        half // radix**power % radix for half, size in zip(halves, sizes, strict=True) for power in range(size)[::-1]
    ]


def _number(numerals: list[int], radix: int) -> int:
    number = 0
    for numeral in numerals:
        number = number * radix + numeral
    return number


@pytest.mark.parametrize("extreme", ["lowest", "highest", "any"])
@given(
    radix=st.one_of(st.integers(2, 2**16), st.sampled_from([2, 10, 16, 36, 62, 255, 256, 257, 2**16 - 1, 2**16])),
    length=st.integers(2, 150),
    tweak=st.binary(max_size=40),
    data=st.data(),
)
def test_rows_are_encrypted_as_the_standard_says_with_numbers_of_any_size(
    extreme: str, radix: int, length: int, tweak: bytes, data: st.DataObject
) -> None:
    least, most = {"lowest": (0, 0), "highest": (radix - 1, radix - 1), "any": (0, radix - 1)}[extreme]
    seed = data.draw(st.integers(0, 2**32))
    rows = np.random.default_rng(seed).integers(least, most, (2, length), np.uint32, endpoint=True)
    ff1 = Feistel(block_cipher(bytes(range(32))), radix, tweak, length)
    encrypted = ff1.encrypt(rows)
    assert encrypted.tolist() == [_ff1(row, radix, bytes(range(32)), tweak) for row in rows.tolist()]
    assert (ff1.decrypt(encrypted) == rows).all()
