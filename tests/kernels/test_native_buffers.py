"""What the native kernels do with memory and with the interpreter's lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from cape_airflow.errors import ValueRefused

_native = pytest.importorskip("cape_airflow.kernels._native", reason="the native kernels were not built")
native = pytest.importorskip("cape_airflow.kernels.native")


def int32s(*numbers: int) -> pa.Buffer:
    return pa.py_buffer(np.array(numbers, np.int32))


DATA = pa.py_buffer(b"alicebob")
UNSOUND = {
    "offsets that go back": (2, 0, False, None, int32s(0, 5, 4), DATA),
    "offsets beyond the data": (2, 0, False, None, int32s(0, 5, 9), DATA),
    "negative offsets": (2, 0, False, None, int32s(-1, 5, 8), DATA),
    "an end below zero": (1, 0, False, None, int32s(0, -1), DATA),
    "too few offsets": (3, 0, False, None, int32s(0, 5, 8), DATA),
    "a slice that begins too late": (1, 2, False, None, int32s(0, 5, 8), DATA),
    "large offsets that are small ones": (2, 0, True, None, int32s(0, 5, 8), DATA),
    "more rows than there are numbers": (2**64 - 1, 1, False, None, int32s(0, 5, 8), DATA),
    "a validity bitmap that is too short": (9, 0, False, pa.py_buffer(b"\xff"), int32s(*range(9), 8), DATA),
    "no data": (2, 0, False, None, int32s(0, 5, 8), None),
}


@pytest.mark.parametrize("column", UNSOUND.values(), ids=UNSOUND)
def test_buffers_that_are_no_column_are_refused_before_they_are_read(column: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="the buffers are no Arrow column"):
        _native.hmac_sha256(column, b"key", "hex", "", 64, "portable")
    with pytest.raises(ValueError, match="the buffers are no Arrow column"):
        _native.aes_siv_encrypt_hex(column, bytes(32), [], "")
    with pytest.raises(ValueError, match="the buffers are no Arrow column"):
        _native.aes_siv_decrypt_hex(column, bytes(32), [], "")
    with pytest.raises(ValueError, match="the buffers are no Arrow column"):
        _native.ff1(column, bytes(16), ("0123456789", ""), b"", 6, True)


@pytest.mark.parametrize(("count", "size"), [(0, 8), (3, 16), (256, 2048)])
def test_words_that_make_no_rows_are_refused(count: int, size: int) -> None:
    with pytest.raises(ValueError, match="the values are no rows of that many words"):
        _native.prf_words(np.zeros(size, np.uint8), count, bytes(16), 0)


def test_an_instruction_set_that_the_machine_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="this machine has no instruction set mmx"):
        _native.hmac_sha256((0, 0, False, None, int32s(), None), b"key", "hex", "", 64, "mmx")


def test_an_encoding_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no encoding base64"):
        _native.hmac_sha256((0, 0, False, None, int32s(), None), b"key", "base64", "", 64, "portable")


def test_more_text_than_a_column_can_hold_is_refused_before_it_is_made() -> None:
    array = pa.array(["a", None, "b"] * 1_000)
    with pytest.raises(
        ValueRefused, match=r"^3000 values refused: together they give more than 2 GiB of text; use smaller"
    ):
        native.hmac_sha256(array, b"key", prefix="x" * 1_100_000)
    large = native.hmac_sha256(array[:3].cast(pa.large_string()), b"key", prefix="x" * 1_100_000)
    assert len(large[2].as_py()) == 1_100_064


LONG = pa.array(["0123456789" * 2_000] * 2_500)
KEY, DIGITS = bytes(64), "0123456789"
WORK = {
    "hash": lambda: native.hmac_sha256(LONG, KEY),
    "seal": lambda: native.aes_siv_encrypt_hex(LONG, KEY),
    "open": lambda: native.aes_siv_decrypt_hex(native.aes_siv_encrypt_hex(LONG, KEY), KEY),
    "format": lambda: native.ff1_encrypt(pa.array(["0123456789" * 100] * 2_000), KEY[:32], alphabet=DIGITS),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_other_threads_run_meanwhile(work: Callable[[], pa.Array]) -> None:
    """The main thread notes the time as often as it can; a kernel that kept the lock would leave a long gap."""
    begun, span = threading.Event(), []

    def run() -> None:
        begun.set()
        span.append(time.perf_counter())
        work()
        span.append(time.perf_counter())

    worker, ticks = threading.Thread(target=run), []
    worker.start()
    begun.wait()
    while worker.is_alive():
        ticks.append(time.perf_counter())
    start, end = span
    noted = [start, *(tick for tick in ticks if start < tick < end), end]
    assert max(after - before for before, after in pairwise(noted)) < 0.4 * (end - start)
