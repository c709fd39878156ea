"""Published vectors on the native kernels, both ways and on every instruction set of the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

_native = pytest.importorskip("cape_airflow.kernels._native", reason="the native kernels were not built")
native = pytest.importorskip("cape_airflow.kernels.native")

Case = dict[str, Any]


@pytest.fixture(params=_native.instruction_sets())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(native, "INSTRUCTION_SET", request.param)
    return request.param


def cases(shared: Path, name: str) -> list[tuple[Case, Case]]:
    """All cases of a file, each with its group."""
    vectors = json.loads((shared / "vectors" / name).read_text())
    found = [(case, group) for group in vectors["testGroups"] for case in group["tests"]]
    assert len(found) == vectors["numberOfTests"] > 100
    return found


def test_hmac_passes_wycheproof(shared: Path, isa: str) -> None:
    for case, group in cases(shared, "hmac_sha256_test.json"):
        message, key = pa.array([bytes.fromhex(case["msg"])]), bytes.fromhex(case["key"])
        [tag] = native.hmac_sha256(message, key, stop=group["tagSize"] // 4).to_pylist()
        assert (tag == case["tag"]) is (case["result"] == "valid"), case["tcId"]


RFC_4231 = [
    ("0b" * 20, b"Hi There".hex(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe".hex(),
        b"what do ya want for nothing?".hex(),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    ("aa" * 20, "dd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)).hex(), "cd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    ("0c" * 20, b"Test With Truncation".hex(), "a3b6167473100ee06e0c796c2955552b"),
    (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First".hex(),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        "aa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. "
            b"The key needs to be hashed before being used by the HMAC algorithm."
        ).hex(),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize(("key", "message", "tag"), RFC_4231)
def test_hmac_passes_rfc_4231(isa: str, key: str, message: str, tag: str) -> None:
    result = native.hmac_sha256(pa.array([bytes.fromhex(message)]), bytes.fromhex(key), stop=len(tag))
    assert result.to_pylist() == [tag]


FIPS_180 = [
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
]


def test_sha_256_gives_the_examples_of_fips_180(isa: str) -> None:
    messages, digests = zip(*FIPS_180, strict=True)
    assert native.sha256_suffix(pa.array(messages), b"").to_pylist() == list(digests)


def test_aes_siv_passes_wycheproof_both_ways(shared: Path) -> None:
    for case, _ in cases(shared, "aes_siv_cmac_test.json"):
        key, associated, message = (bytes.fromhex(case[name]) for name in ("key", "aad", "msg"))
        is_valid = case["result"] == "valid"
        result = native.aes_siv_decrypt_hex(pa.array([case["ct"]]), key, associated_data=[associated]).to_pylist()
        assert result == [message if is_valid else None], case["tcId"]
        encrypted = native.aes_siv_encrypt_hex(pa.array([message]), key, associated_data=[associated]).to_pylist()
        assert (encrypted == [case["ct"]]) is is_valid, case["tcId"]


def test_the_examples_of_rfc_5297() -> None:
    key = "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
    associated = ["101112131415161718191a1b1c1d1e1f2021222324252627"]
    message, sealed = "112233445566778899aabbccddee", "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    assert seal(key, associated, message) == sealed
    # Appendix A.2: three strings, the last of which is a nonce.
    key = "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f"
    associated = [
        "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
        "102030405060708090a0",
        "09f911029d74e35bd84156c5635688c0",
    ]
    message = "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553"
    sealed = (
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
        "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
    )
    assert seal(key, associated, message) == sealed


def seal(key: str, associated: list[str], message: str) -> str:
    data = [bytes.fromhex(component) for component in associated]
    [token] = native.aes_siv_encrypt_hex(
        pa.array([bytes.fromhex(message)]), bytes.fromhex(key), associated_data=data
    ).to_pylist()
    return str(token)


@pytest.mark.parametrize(("base", "small"), [(10, 12), (36, 6), (62, 6)])
def test_ff1_passes_wycheproof_both_ways(base: int, small: int, shared: Path) -> None:
    refused_as_small = 0
    for case, group in cases(shared, f"aes_ff1_base{base}_test.json"):
        key, tweak, alphabet = bytes.fromhex(case["key"]), bytes.fromhex(case["tweak"]), group["alphabet"]
        if len(key) not in {16, 24, 32}:
            assert case["result"] == "invalid"
            with pytest.raises(ValueError, match="Invalid key size"):
                native.ff1_encrypt(pa.array([case["msg"]]), key, alphabet=alphabet, tweak=tweak)
            continue
        is_small = case["result"] == "valid" and "SmallMessageSize" in case["flags"]
        refused_as_small += is_small
        is_taken = case["result"] == "valid" and not is_small
        encrypted = native.ff1_encrypt(pa.array([case["msg"]]), key, alphabet=alphabet, tweak=tweak).to_pylist()
        assert encrypted == [case["ct"] if is_taken else None], case["tcId"]
        # Of an invalid case only the message is: decryption has to refuse it as well.
        token = case["ct"] if case["result"] == "valid" else case["msg"]
        decrypted = native.ff1_decrypt(pa.array([token]), key, alphabet=alphabet, tweak=tweak).to_pylist()
        assert decrypted == [case["msg"] if is_taken else None], case["tcId"]
    assert refused_as_small == small
