"""Keyed random words: the same key and number give the same words, for noise that equal values share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


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
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305 - the block cipher itself
    rows, count = values.shape
    state = np.zeros((rows, 2), "<u8")
    for i in range(count):
        state[:, 0] ^= values[:, i]
        state[:, 1] ^= np.uint64(draw << 16 | count << 8 | i)
        state = np.frombuffer(encrypt(state.tobytes()), "<u8").reshape(rows, 2).copy()
    return state
