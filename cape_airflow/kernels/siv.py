"""AES-SIV (RFC 5297), deterministic authenticated encryption, as lower-case hexadecimal text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from cape_airflow.kernels.text import bytes_type, text_type


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
    cipher = AESSIV(key)
    components = None if associated_data is None else list(associated_data)
    messages = array.cast(bytes_type(array.type)).to_numpy(zero_copy_only=False)
    tokens = [None if message is None else prefix + cipher.encrypt(message, components).hex() for message in messages]
    return pa.array(tokens, text_type(array.type))


def aes_siv_decrypt_hex(
    array: pa.Array, key: bytes, *, associated_data: Sequence[bytes] | None = None, prefix: str = ""
) -> pa.Array:
    """Return what `aes_siv_encrypt_hex` encrypted.

    Args:
        array: string or large_string: tokens, their hex digits in any case.
        key, associated_data, prefix: as they were for encryption.

    Returns:
        binary, or large_binary for large input. Nulls stay null; whatever is not a token of this key, or was changed,
        becomes null, without a reason.
    """
    cipher = AESSIV(key)
    components = None if associated_data is None else list(associated_data)

    def message(token: str | None) -> bytes | None:
        if token is None or not token.startswith(prefix):
            return None
        with suppress(ValueError, InvalidTag):  # no hexadecimal; too short, changed, or of another key
            return cipher.decrypt(bytes.fromhex(token[len(prefix) :]), components)
        return None

    return pa.array([message(token) for token in array.to_pylist()], bytes_type(array.type))
