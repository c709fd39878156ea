from __future__ import annotations

import base64
import hashlib
import hmac

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.hashing import hmac_sha256, sha256_suffix


@given(key=st.binary(max_size=200), values=st.lists(st.one_of(st.none(), st.binary())))
def test_hmac_is_the_standard_librarys(key: bytes, values: list[bytes | None]) -> None:
    expected = [None if value is None else hmac.digest(key, value, "sha256").hex() for value in values]
    for kind in (pa.binary(), pa.large_binary()):
        assert hmac_sha256(pa.array(values, kind), key).to_pylist() == expected


@given(key=st.binary(), values=st.lists(st.one_of(st.none(), st.binary())))
def test_the_suffix_hash_is_sha256_of_both(key: bytes, values: list[bytes | None]) -> None:
    expected = [None if value is None else hashlib.sha256(value + key).hexdigest() for value in values]
    assert sha256_suffix(pa.array(values, pa.binary()), key).to_pylist() == expected


@given(key=st.binary(), values=st.lists(st.one_of(st.none(), st.binary())))
def test_raw_tokens_are_the_digests(key: bytes, values: list[bytes | None]) -> None:
    array = pa.array(values, pa.large_binary())
    expected = [None if value is None else hmac.digest(key, value, "sha256") for value in values]
    result = hmac_sha256(array, key, encoding="raw")
    assert result.type == pa.large_binary()
    assert result.to_pylist() == expected
    expected = [None if value is None else hashlib.sha256(value + key).digest()[:20] for value in values]
    assert sha256_suffix(array, key, encoding="raw", stop=20).to_pylist() == expected


@given(values=st.lists(st.one_of(st.none(), st.binary())), stop=st.integers(-60, 60))
def test_base32_tokens_are_those_of_rfc_4648_in_lower_case_without_padding(
    values: list[bytes | None], stop: int
) -> None:
    def token(value: bytes) -> str:
        return base64.b32encode(hmac.digest(b"k", value, "sha256")).decode().lower().rstrip("=")

    expected = [None if value is None else "t1_" + token(value)[:stop] for value in values]
    result = hmac_sha256(pa.array(values, pa.binary()), b"k", encoding="base32", prefix="t1_", stop=stop)
    assert result.to_pylist() == expected


@pytest.mark.parametrize(
    ("given_type", "result_type"),
    [
        (pa.string(), pa.string()),
        (pa.large_string(), pa.large_string()),
        (pa.binary(), pa.string()),
        (pa.large_binary(), pa.large_string()),
    ],
)
def test_large_values_give_large_text(given_type: pa.DataType, result_type: pa.DataType) -> None:
    array = pa.array(["alice", None]).cast(given_type)
    for result in (hmac_sha256(array, b"k"), sha256_suffix(array, b"k")):
        assert result.type == result_type
        assert result.null_count == 1


def test_prefix_and_stop_shape_the_token() -> None:
    whole = hmac.digest(b"k", b"alice", "sha256").hex()
    assert hmac_sha256(pa.array(["alice"]), b"k", prefix="t1_", stop=8).to_pylist() == ["t1_" + whole[:8]]


def test_only_the_slice_is_hashed() -> None:
    array = pa.array(["a", "b", None, "c"])
    assert hmac_sha256(array[1:3], b"k").to_pylist() == hmac_sha256(array, b"k").to_pylist()[1:3]
