from __future__ import annotations

import base64

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.encodings import Encoding, encoded, encoded_type, length_of

WRITTEN = {
    "hex": bytes.hex,
    "base32": lambda value: base64.b32encode(value).decode().lower().rstrip("="),
    "raw": bytes,
}


@pytest.mark.parametrize("encoding", WRITTEN)
@given(size=st.integers(1, 40), data=st.data())
def test_every_row_is_written_as_the_standard_library_does(encoding: Encoding, size: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=5))
    rows = encoded(np.frombuffer(b"".join(values), np.uint8).reshape(-1, size), encoding)
    kind = str if encoding != "raw" else bytes
    assert [row.tobytes().decode() if kind is str else row.tobytes() for row in rows] == [
        WRITTEN[encoding](value) for value in values
    ]
    assert rows.shape[1] == length_of(encoding, 8 * size)


def test_a_whole_digest_has_64_digits_52_characters_or_32_bytes() -> None:
    assert [length_of(encoding) for encoding in ("hex", "base32", "raw")] == [64, 52, 32]


def test_only_raw_tokens_are_binary_and_large_columns_stay_large() -> None:
    for encoding in ("hex", "base32"):
        assert encoded_type(encoding, pa.binary()) == pa.string()
        assert encoded_type(encoding, pa.large_string()) == pa.large_string()
    assert encoded_type("raw", pa.string()) == pa.binary()
    assert encoded_type("raw", pa.large_string()) == pa.large_binary()
