"""What one would write without us: loops over values, from Arrow to Arrow, and plain copies of a column's memory."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from benchmarks.contenders.columns import arrays

KEY = bytes(range(64))
Pass = Callable[[], None]


def hmac_digest(source: str, column: str, rows: int) -> Pass:
    """HMAC by one call for each value."""
    return _each(source, column, rows, lambda value: hmac.digest(KEY, value, "sha256").hex())


def prekeyed_hashlib(source: str, column: str, rows: int) -> Pass:
    """HMAC from two copied hash objects that have taken in the key already."""
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in KEY))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in KEY))

    def token(value: bytes) -> str:
        first = inner.copy()
        first.update(value)
        second = outer.copy()
        second.update(first.digest())
        return second.hexdigest()

    return _each(source, column, rows, token)


def aes_siv(source: str, column: str, rows: int) -> Pass:
    """AES-SIV by one reused object of `cryptography`."""
    cipher = AESSIV(KEY)
    return _each(source, column, rows, lambda value: cipher.encrypt(value, [b"1", b"benchmark"]).hex())


def philox(source: str, column: str, rows: int) -> Pass:
    """Uniform noise from numpy's generator, keyed by nothing."""
    generator = np.random.Generator(np.random.Philox(1))
    numbers = [array.to_numpy() for array in arrays(source, column, rows)]

    def add() -> None:
        for values in numbers:
            pa.array(values + generator.uniform(-100, 100, len(values)))

    return add


def copy(source: str, column: str, rows: int) -> Pass:
    """Each buffer into new memory."""
    columns = arrays(source, column, rows)

    def run() -> None:
        for array in columns:
            for buffer in array.buffers():
                if buffer is not None:
                    buffer.to_pybytes()

    return run


def _each(source: str, column: str, rows: int, function: Callable[[bytes], str]) -> Pass:
    columns = arrays(source, column, rows)

    def run() -> None:
        for array in columns:
            pa.array([function(value) for value in array.cast(pa.binary()).to_pylist()], pa.string())

    return run
