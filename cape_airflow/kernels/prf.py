"""Keyed random words: the same key and number give the same words, for noise that equal values share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cape_airflow.kernels.aes import block_cipher


def prf_words(values: npt.NDArray[np.uint64], key: bytes, draw: int = 0) -> npt.NDArray[np.uint64]:
    """Return two uniform 64-bit words per value: a CBC-MAC of AES (ISO/IEC 9797-1, algorithm 1) over its words.

    Word i of the k words of a value makes block i: the word and ``draw << 16 | k << 8 | i``, both little-endian; so all
    messages of one k have one length, and none begins another, which is what a CBC-MAC needs to be a PRF.

    Args:
        values: shape (rows, k), k from 1 to 4: 64, 128 or 256 bits each.
        key: 16, 24 or 32 bytes of AES key.
        draw: from 0 to 2^48 - 1; each gives two new words.

    Returns:
        Shape (rows, 2): the two little-endian halves of the last block.

    Raises:
        ValueError: a key of another length.
    """
    encrypt = block_cipher(key)
    rows, count = values.shape
    state = np.zeros((rows, 2), np.uint64)
    for place in range(count):
        state[:, 0] ^= _little_endian(values[:, place])
        state[:, 1] ^= _little_endian(np.array(draw << 16 | count << 8 | place, np.uint64))
        state = encrypt(state)
    return _little_endian(state)


def _little_endian(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return numbers as words in memory or such words as numbers: the same wherever the machine is little-endian."""
    return words.view("<u8").astype(np.uint64, copy=False)
