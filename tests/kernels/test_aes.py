from __future__ import annotations

import numpy as np
import pytest

from cape_airflow.kernels.aes import block_cipher, swapped, to_words


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
        (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
        (32, "8ea2b7ca516745bfeafc49904b496089"),
    ],
)
def test_the_examples_of_fips_197_appendix_c(length: int, expected: str) -> None:
    block = to_words(bytes.fromhex("00112233445566778899aabbccddeeff"))
    many = np.broadcast_to(block, (3, 5, 2))
    assert block_cipher(bytes(range(length)))(many).tobytes().hex() == expected * 15


def test_no_blocks_give_no_blocks() -> None:
    assert block_cipher(bytes(16))(np.empty((0, 2), np.uint64)).shape == (0, 2)


def test_keys_of_other_lengths_are_no_keys() -> None:
    with pytest.raises(ValueError, match="Invalid key size"):
        block_cipher(bytes(17))


def test_words_are_swapped_between_the_order_of_the_standards_and_numbers() -> None:
    words = np.frombuffer(bytes(range(8)), np.uint64)
    assert swapped(words).tolist() == [0x0001020304050607]
    assert swapped(swapped(words)).tobytes() == bytes(range(8))
