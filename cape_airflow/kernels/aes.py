"""The AES block cipher (FIPS 197) over many blocks in one call, on which the modes of the other kernels are laid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Words = npt.NDArray[np.uint64]
"""Blocks as pairs of 64-bit words in the order of memory: the last axis has length 2, or a multiple of it."""

BlockCipher = Callable[[Words], Words]
"""Encrypts every block of an array by itself."""

BLOCK = 16
"""Bytes of an AES block."""

BIG_ENDIAN = np.dtype(">u8")


def block_cipher(key: bytes) -> BlockCipher:
    """Return AES under a key; for one thread.

    Args:
        key: 16, 24 or 32 bytes.

    Raises:
        ValueError: a key of another length.
    """
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - the block cipher, not a mode

    def encrypt(blocks: Words) -> Words:
        out = np.empty(blocks.nbytes + BLOCK - 1, np.uint8)  # the room that `update_into` asks for
        encryptor.update_into(np.ascontiguousarray(blocks).reshape(-1).view(np.uint8).data, out.data)
        return out[: blocks.nbytes].view(np.uint64).reshape(blocks.shape)

    return encrypt


def to_words(blocks: bytes) -> Words:
    """Return a whole number of blocks as words."""
    return np.frombuffer(blocks, np.uint64)


def swapped(words: Words) -> Words:
    """Return big-endian words as numbers, or numbers as big-endian words (twice as fast as `byteswap`)."""
    return words.view(BIG_ENDIAN).astype(np.uint64)
