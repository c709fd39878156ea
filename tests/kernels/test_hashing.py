from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.hashing import hmac_sha256_hex, sha256_suffix_hex


@given(key=st.binary(max_size=200), values=st.lists(st.one_of(st.none(), st.binary())))
def test_hmac_is_the_standard_librarys(key: bytes, values: list[bytes | None]) -> None:
    expected = [None if value is None else hmac.digest(key, value, "sha256").hex() for value in values]
    for kind in (pa.binary(), pa.large_binary()):
        assert hmac_sha256_hex(pa.array(values, kind), key).to_pylist() == expected


@given(key=st.binary(), values=st.lists(st.one_of(st.none(), st.binary())))
def test_the_suffix_hash_is_sha256_of_both(key: bytes, values: list[bytes | None]) -> None:
    expected = [None if value is None else hashlib.sha256(value + key).hexdigest() for value in values]
    assert sha256_suffix_hex(pa.array(values, pa.binary()), key).to_pylist() == expected


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
    for result in (hmac_sha256_hex(array, b"k"), sha256_suffix_hex(array, b"k")):
        assert result.type == result_type
        assert result.null_count == 1


def test_prefix_and_digits_shape_the_token() -> None:
    whole = hmac.digest(b"k", b"alice", "sha256").hex()
    assert hmac_sha256_hex(pa.array(["alice"]), b"k", prefix="t1_", digits=8).to_pylist() == ["t1_" + whole[:8]]


def test_only_the_slice_is_hashed() -> None:
    array = pa.array(["a", "b", None, "c"])
    assert hmac_sha256_hex(array[1:3], b"k").to_pylist() == hmac_sha256_hex(array, b"k").to_pylist()[1:3]


def test_hmac_passes_wycheproof(shared: Path) -> None:
    vectors = json.loads((shared / "vectors" / "hmac_sha256_test.json").read_text())
    cases = [(case, group["tagSize"] // 4) for group in vectors["testGroups"] for case in group["tests"]]
    assert len(cases) == vectors["numberOfTests"] > 100
    for case, digits in cases:
        message = pa.array([bytes.fromhex(case["msg"])])
        [tag] = hmac_sha256_hex(message, bytes.fromhex(case["key"]), digits=digits).to_pylist()
        assert (tag == case["tag"]) is (case["result"] == "valid"), case["tcId"]
