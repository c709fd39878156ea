"""The native kernels: the loops of `hashing`, `siv`, `ff1` and `prf` in Rust, with the same names, bytes and errors.

Importable only where the crate in `rust/` was built. Arrow's buffers go in and come out; the interpreter lock is
released in between, and no Python object is made per value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cape_airflow.kernels import _native, choice
from cape_airflow.kernels.encodings import Encoding, encoded_type, length_of
from cape_airflow.kernels.ff1 import shortest
from cape_airflow.kernels.refusal import refused
from cape_airflow.kernels.text import bytes_type, is_large, text_type

_PLAIN = {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()}

INSTRUCTION_SET = choice.instruction_set(_native.instruction_sets())
"""What the hashes run on; AES finds its own instructions."""


def hmac_sha256(
    array: pa.Array, key: bytes, *, encoding: Encoding = "hex", prefix: str = "", stop: int | None = None
) -> pa.Array:
    """See `cape_airflow.kernels.hashing.hmac_sha256`."""
    tokens = _text(_native.hmac_sha256, array, key, encoding, prefix, _kept(encoding, stop), INSTRUCTION_SET)
    return tokens.view(encoded_type(encoding, array.type))


def sha256_suffix(array: pa.Array, suffix: bytes, *, encoding: Encoding = "hex", stop: int | None = None) -> pa.Array:
    """See `cape_airflow.kernels.hashing.sha256_suffix`."""
    tokens = _text(_native.sha256_suffix, array, suffix, encoding, _kept(encoding, stop), INSTRUCTION_SET)
    return tokens.view(encoded_type(encoding, array.type))


def aes_siv_encrypt_hex(
    array: pa.Array, key: bytes, *, associated_data: Sequence[bytes] | None = None, prefix: str = ""
) -> pa.Array:
    """See `cape_airflow.kernels.siv.aes_siv_encrypt_hex`."""
    return _text(_native.aes_siv_encrypt_hex, array, key, list(associated_data or ()), prefix)


def aes_siv_decrypt_hex(
    array: pa.Array, key: bytes, *, associated_data: Sequence[bytes] | None = None, prefix: str = ""
) -> pa.Array:
    """See `cape_airflow.kernels.siv.aes_siv_decrypt_hex`."""
    messages = _text(_native.aes_siv_decrypt_hex, array, key, list(associated_data or ()), prefix)
    return messages.view(bytes_type(array.type))


def ff1_encrypt(array: pa.Array, key: bytes, *, alphabet: str, tweak: bytes = b"", keep: str = "") -> pa.Array:
    """See `cape_airflow.kernels.ff1.ff1_encrypt`."""
    return _text(_native.ff1, array, key, (alphabet, keep), tweak, _shortest(alphabet), True)


def ff1_decrypt(array: pa.Array, key: bytes, *, alphabet: str, tweak: bytes = b"", keep: str = "") -> pa.Array:
    """See `cape_airflow.kernels.ff1.ff1_decrypt`."""
    return _text(_native.ff1, array, key, (alphabet, keep), tweak, _shortest(alphabet), False)


def prf_words(values: npt.NDArray[np.uint64], key: bytes, draw: int = 0) -> npt.NDArray[np.uint64]:
    """See `cape_airflow.kernels.prf.prf_words`."""
    words = np.ascontiguousarray(values).view(np.uint8)
    blocks = np.frombuffer(_native.prf_words(words, values.shape[1], key, draw), "<u8")
    return blocks.astype(np.uint64, copy=False).reshape(len(values), 2)


def _shortest(alphabet: str) -> int:
    return shortest(max(2, len(alphabet)))  # the kernel refuses alphabets of fewer


def _kept(encoding: Encoding, stop: int | None) -> int:
    """Return how many characters or bytes Python's ``token[:stop]`` keeps."""
    return len(range(length_of(encoding))[:stop])


def _text(kernel: Callable[..., _native.Buffers], array: pa.Array, *arguments: object) -> pa.Array:
    """Return what a kernel makes of a column, as string, or large_string for large input."""
    if array.type not in _PLAIN:
        array = array.cast(bytes_type(array.type))
    validity, offsets, data = array.buffers()
    column = (len(array), array.offset, is_large(array.type), validity if array.null_count else None, offsets, data)
    try:
        buffers = kernel(column, *arguments)
    except OverflowError as error:
        raise refused(len(array), str(error)) from None
    return pa.Array.from_buffers(text_type(array.type), len(array), list(buffers))
