"""AES-SIV (RFC 5297), deterministic authenticated encryption, as lower-case hexadecimal text.

Values of equally many blocks go through each step together (see `by_width`); the few that share their number of blocks
with hardly another one go through `cryptography` by themselves, which gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC

from cape_airflow.kernels.aes import BLOCK, Words, block_cipher, swapped, to_words
from cape_airflow.kernels.hexadecimal import from_hex, to_hex
from cape_airflow.kernels.rows import Bytes, Lengths, by_width
from cape_airflow.kernels.text import bytes_type, text_type

Taken = npt.NDArray[np.bool_]

_FEW = 40
"""Rows below which one call per value is faster; two more for every block of a row."""

_MASKS = to_words(b"".join(bytes([0xFF] * tail).ljust(BLOCK, b"\0") for tail in range(BLOCK + 1))).reshape(-1, 2)
"""What keeps the first 0 to 16 bytes of a block."""

_COUNTER = to_words(b"\xff" * 8 + b"\x7f\xff\xff\xff" * 2)
"""What turns a synthetic IV into the first counter (RFC 5297, 2.5): the top bits of its last two 32-bit words go."""


def aes_siv_encrypt_hex(
    array: pa.Array, key: bytes, *, associated_data: Sequence[bytes] | None = None, prefix: str = ""
) -> pa.Array:
    """Return the 16-byte synthetic IV and the ciphertext of each value, in hex.

    Args:
        array: string, large_string, binary or large_binary; text is encrypted as its UTF-8.
        key: 32, 48 or 64 bytes: two AES keys of equal length.
        associated_data: components bound to every token; None for none at all, which differs from one empty one.
        prefix: stands before every token.

    Returns:
        string, or large_string for large input; nulls stay null.
    """
    cipher, head = _Siv(key, associated_data), np.frombuffer(prefix.encode(), np.uint8)

    def sizes(lengths: Lengths) -> tuple[Lengths, Lengths]:
        return _whole_blocks(lengths), len(head) + 2 * (BLOCK + lengths)

    def encrypt(rows: Bytes, lengths: Lengths) -> tuple[Bytes, Taken]:
        sealed = to_hex(cipher.encrypt(rows, lengths))
        tokens = np.empty((len(rows), len(head) + sealed.shape[1]), np.uint8)
        tokens[:, : len(head)], tokens[:, len(head) :] = head, sealed
        return tokens, np.ones(len(rows), bool)

    return by_width(array, sizes, encrypt, text_type(array.type))


def aes_siv_decrypt_hex(
    array: pa.Array, key: bytes, *, associated_data: Sequence[bytes] | None = None, prefix: str = ""
) -> pa.Array:
    """Return what `aes_siv_encrypt_hex` encrypted.

    Args:
        array: string or large_string: tokens, their hex digits in any case, nothing between them.
        key, associated_data, prefix: as they were for encryption.

    Returns:
        binary, or large_binary for large input. Nulls stay null; whatever is not a token of this key, or was changed,
        becomes null, without a reason.
    """
    cipher, head = _Siv(key, associated_data), np.frombuffer(prefix.encode(), np.uint8)

    def sizes(lengths: Lengths) -> tuple[Lengths, Lengths]:
        messages = (lengths - len(head)) // 2 - BLOCK
        widths = len(head) + 2 * (BLOCK + _whole_blocks(messages))
        return np.where((messages >= 0) & ((lengths - len(head)) % 2 == 0), widths, 0), messages

    def decrypt(rows: Bytes, lengths: Lengths) -> tuple[Bytes, Taken]:
        sealed, foreign = from_hex(rows[:, len(head) :])
        ends = (lengths - len(head)) // 2
        messages, taken = cipher.decrypt(sealed, ends - BLOCK)
        for wrong in (rows[:, : len(head)] != head, _cut(_blocks(foreign), ends)):
            if wrong.any():  # of all rows first, for numpy is slow over short rows
                taken &= ~wrong.reshape(len(rows), -1).any(axis=1)
        return messages, taken

    return by_width(array, sizes, decrypt, bytes_type(array.type))


class _Siv:
    """The keys of AES-SIV, and what they and the associated data give for all values alike."""

    def __init__(self, key: bytes, associated_data: Sequence[bytes] | None) -> None:
        self._single = AESSIV(key)
        self._components = None if associated_data is None else list(associated_data)
        half = len(key) // 2
        self._mac, self._stream = block_cipher(key[:half]), block_cipher(key[half:])
        bound = _cmac(key[:half], bytes(BLOCK))
        for component in self._components or ():
            bound = _xor(_doubled(bound), _cmac(key[:half], component))
        subkey = _doubled(self._mac(to_words(bytes(BLOCK))).tobytes())
        self._one_block, self._more = _endings_of_one_block(bound, subkey), _endings(bound, subkey)

    def encrypt(self, rows: Bytes, lengths: Lengths) -> Bytes:
        """Return the synthetic IV and ciphertext of messages that end in the last block of their row."""
        if _are_few(rows):
            return self._encrypt_each(rows, lengths)
        messages = _cut(_blocks(rows), lengths)
        iv = self._synthetic_iv(messages, lengths)
        sealed = np.concatenate([iv[:, None], messages ^ self._key_stream(iv, messages.shape[1])], axis=1)
        return sealed.reshape(len(rows), -1).view(np.uint8)

    def decrypt(self, rows: Bytes, lengths: Lengths) -> tuple[Bytes, Taken]:
        """Return the messages of such lengths, and which of them are what was encrypted."""
        if _are_few(rows):
            return self._decrypt_each(rows, lengths)
        sealed = _blocks(rows)
        iv, secret = sealed[:, 0], sealed[:, 1:]
        messages = _cut(secret ^ self._key_stream(iv, secret.shape[1]), lengths)
        expected = self._synthetic_iv(messages, lengths)
        genuine = ((expected[:, 0] ^ iv[:, 0]) | (expected[:, 1] ^ iv[:, 1])) == 0
        return messages.reshape(len(rows), -1).view(np.uint8), genuine

    def _synthetic_iv(self, messages: Words, lengths: Lengths) -> Words:
        """Return S2V (RFC 5297, 2.4), which ends in a CMAC of the message with `bound` in its last 16 bytes."""
        tails = _tails(messages, lengths)
        if messages.shape[1] == 1:
            return self._mac(messages[:, 0] ^ self._one_block.take(tails, axis=0))
        endings = self._more.take(tails, axis=0)
        state = np.zeros((len(messages), 2), np.uint64)
        for place in range(messages.shape[1] - 2):
            state = self._mac(state ^ messages[:, place])
        state = self._mac(state ^ messages[:, -2] ^ endings[:, 0])
        return self._mac(state ^ messages[:, -1] ^ endings[:, 1])

    def _key_stream(self, iv: Words, count: int) -> Words:
        first = iv & _COUNTER
        counters = np.empty((len(iv), count, 2), np.uint64)
        counters[:, :, 0] = first[:, :1]
        places: Words = np.arange(count, dtype=np.uint64)
        counters[:, :, 1] = swapped(swapped(first[:, 1:]) + places)
        return self._stream(counters)

    def _encrypt_each(self, rows: Bytes, lengths: Lengths) -> Bytes:
        width = BLOCK + rows.shape[1]
        messages = (row[:length].tobytes() for row, length in zip(rows, lengths.tolist(), strict=True))
        sealed = (self._single.encrypt(message, self._components).ljust(width, b"\0") for message in messages)
        return np.frombuffer(b"".join(sealed), np.uint8).reshape(len(rows), width)

    def _decrypt_each(self, rows: Bytes, lengths: Lengths) -> tuple[Bytes, Taken]:
        messages, genuine = np.zeros((len(rows), rows.shape[1] - BLOCK), np.uint8), np.zeros(len(rows), bool)
        for place, length in enumerate(lengths.tolist()):
            with suppress(InvalidTag):  # changed, or of another key
                message = self._single.decrypt(rows[place, : BLOCK + length].tobytes(), self._components)
                messages[place, :length] = np.frombuffer(message, np.uint8)
                genuine[place] = True
        return messages, genuine


def _are_few(rows: Bytes) -> bool:
    return len(rows) < _FEW + 2 * int(rows.shape[1]) // BLOCK


def _whole_blocks(lengths: Lengths) -> Lengths:
    """Return the bytes of as many blocks as hold a message; one for the empty message."""
    return np.maximum(lengths + BLOCK - 1, BLOCK) & -BLOCK


def _blocks(rows: Bytes) -> Words:
    return rows.view(np.uint64).reshape(len(rows), -1, 2)


def _tails(messages: Words, lengths: Lengths) -> Lengths:
    """Return how many bytes of its last block a message has."""
    return lengths - BLOCK * (int(messages.shape[1]) - 1)


def _cut(messages: Words, lengths: Lengths) -> Words:
    """Make zero, in place, what follows a message in its last block."""
    messages[:, -1] &= _MASKS.take(_tails(messages, lengths), axis=0)
    return messages


def _endings_of_one_block(bound: bytes, subkey: bytes) -> Words:
    """Return what is added to a message of one block before the last encryption of its CMAC, for 0 to 16 bytes."""
    short = (_xor(_doubled(bound), _padding(tail)) for tail in range(BLOCK))
    return to_words(b"".join(_xor(ending, subkey) for ending in (*short, bound))).reshape(-1, 2)


def _endings(bound: bytes, subkey: bytes) -> Words:
    """Return what is added to the last two blocks of longer messages, of which the last one has 1 to 16 bytes."""
    table = [bytes(2 * BLOCK)]  # no last block is empty
    for tail in range(1, BLOCK + 1):
        shifted = (bytes(tail) + bound).ljust(2 * BLOCK, b"\0")
        last = subkey if tail == BLOCK else _xor(_doubled(subkey), _padding(tail))
        table.append(_xor(shifted, bytes(BLOCK) + last))
    return to_words(b"".join(table)).reshape(-1, 2, 2)


def _padding(tail: int) -> bytes:
    return (bytes(tail) + b"\x80").ljust(BLOCK, b"\0")


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def _doubled(block: bytes) -> bytes:
    """Multiply by x in GF(2^128) (RFC 5297, 2.3)."""
    number = int.from_bytes(block, "big") << 1
    return (number ^ (number >> 128) * ((1 << 128) | 0x87)).to_bytes(BLOCK, "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")
