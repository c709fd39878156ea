from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.hexadecimal import from_hex, to_hex


def _rows(values: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)


def test_every_byte_becomes_two_lower_case_digits() -> None:
    everything = bytes(range(256))
    assert to_hex(_rows([everything, everything])).tobytes() == 2 * everything.hex().encode()


@given(value=st.binary(min_size=1, max_size=20))
def test_digits_of_either_case_become_bytes_again(value: bytes) -> None:
    for digits in (value.hex(), value.hex().upper()):
        numbers, foreign = from_hex(_rows([digits.encode()]))
        assert numbers.tobytes() == value
        assert not foreign.any()


def test_every_other_byte_is_no_digit() -> None:
    digits = set(b"0123456789abcdefABCDEF")
    for code in range(256):
        for pair in (bytes([code, 48]), bytes([48, code])):
            _, foreign = from_hex(_rows([b"00" + pair]))
            assert foreign.astype(bool).tolist() == [[False, code not in digits]]
