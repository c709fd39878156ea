from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.prf import prf_words

WORDS = st.integers(0, 2**64 - 1)


@given(
    values=st.integers(1, 4).flatmap(lambda count: st.lists(st.tuples(*[WORDS] * count), min_size=1, max_size=5)),
    draw=st.integers(0, 2**48 - 1),
    length=st.sampled_from([16, 24, 32]),
)
def test_words_are_the_end_of_a_cbc_chain_over_value_draw_and_place(
    values: list[tuple[int, ...]], draw: int, length: int
) -> None:
    key = bytes(range(length))
    found = prf_words(np.array(values, np.uint64), key, draw)
    for value, words in zip(values, found.tolist(), strict=True):
        count = len(value)
        blocks = [word | (draw << 16 | count << 8 | place) << 64 for place, word in enumerate(value)]
        message = b"".join(block.to_bytes(16, "little") for block in blocks)
        chain = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(message)
        assert words == [int.from_bytes(chain[-16:-8], "little"), int.from_bytes(chain[-8:], "little")]


def test_every_value_draw_and_key_has_words_of_its_own() -> None:
    values = np.arange(1000, dtype=np.uint64)
    keys = (bytes(16), bytes(15) + b"1")
    found = [
        prf_words(values.reshape(shape), key, draw) for shape in ((-1, 1), (-1, 2)) for key in keys for draw in (0, 1)
    ]
    assert len(set(np.concatenate(found).reshape(-1).tolist())) == 2 * sum(map(len, found))


def test_no_values_give_no_words() -> None:
    assert prf_words(np.empty((0, 1), np.uint64), bytes(32)).shape == (0, 2)


def test_keys_of_other_lengths_are_no_keys() -> None:
    with pytest.raises(ValueError, match="Invalid key size"):
        prf_words(np.zeros((1, 1), np.uint64), b"short")
