"""Published vectors on both implementations of the kernels: every file, every group, both ways, invalid ones refused.

Wycheproof's are read from the folder of shared vectors. Those of NIST's Cryptographic Algorithm Validation Program for
SHA-256 (CAVS 11, byte-oriented, public domain) stand beside this file.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cape_airflow.kernels import ff1, hashing, siv

if IS_BUILT := find_spec("cape_airflow.kernels._native") is not None:
    from cape_airflow.kernels import _native, native

Case = dict[str, Any]
Kernels = SimpleNamespace

CAVP = Path(__file__).parent / "cavp"
WYCHEPROOF = {
    "aes_ff1_base10_test.json": 3845,
    "aes_ff1_base36_test.json": 2854,
    "aes_ff1_base62_test.json": 2474,
    "aes_siv_cmac_test.json": 442,
    "hmac_sha256_test.json": 174,
}
TWIN = Kernels(
    hmac_sha256=hashing.hmac_sha256,
    sha256_suffix=hashing.sha256_suffix,
    aes_siv_encrypt_hex=siv.aes_siv_encrypt_hex,
    aes_siv_decrypt_hex=siv.aes_siv_decrypt_hex,
    ff1_encrypt=ff1.ff1_encrypt,
    ff1_decrypt=ff1.ff1_decrypt,
)
# In CI with Rust they must have been built: `test_choice.py`.
needs_native = pytest.mark.skipif(not IS_BUILT, reason="the native kernels were not built")


@pytest.fixture(params=["twin", pytest.param("native", marks=needs_native)])
def ciphers(request: pytest.FixtureRequest) -> Kernels:
    """Both implementations; AES finds its own instructions."""
    return TWIN if request.param == "twin" else native


@pytest.fixture(params=["twin", *(_native.instruction_sets() if IS_BUILT else [])])
def hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    """The twin, and the native hashes on each instruction set of the machine."""
    if request.param == "twin":
        return TWIN
    monkeypatch.setattr(native, "INSTRUCTION_SET", request.param)
    return native


def wycheproof(shared: Path, name: str) -> list[tuple[Case, Case]]:
    """All cases of a file, each with its group."""
    vectors = json.loads((shared / "vectors" / name).read_text())
    found = [(case, group) for group in vectors["testGroups"] for case in group["tests"]]
    assert len(found) == vectors["numberOfTests"] == WYCHEPROOF[name]
    return found


def test_no_file_of_shared_vectors_is_left_out(shared: Path) -> None:
    assert {path.name for path in (shared / "vectors").iterdir()} == set(WYCHEPROOF)


@pytest.mark.parametrize("copies", [1, 40], ids=["alone", "many"])
def test_hmac_passes_wycheproof(copies: int, hashes: Kernels, shared: Path) -> None:
    seen: Counter[str] = Counter()
    for case, group in wycheproof(shared, "hmac_sha256_test.json"):
        messages, key = pa.array([bytes.fromhex(case["msg"])] * copies), bytes.fromhex(case["key"])
        tags = hashes.hmac_sha256(messages, key, stop=group["tagSize"] // 4).to_pylist()
        assert len(set(tags)) == 1
        assert (tags[0] == case["tag"]) is (case["result"] == "valid"), case["tcId"]
        seen[case["result"]] += 1
    assert seen == {"valid": 66, "invalid": 108}


@pytest.mark.parametrize("copies", [1, 120], ids=["alone", "many"])
def test_aes_siv_passes_wycheproof_both_ways(copies: int, ciphers: Kernels, shared: Path) -> None:
    seen: Counter[str] = Counter()
    for case, _ in wycheproof(shared, "aes_siv_cmac_test.json"):
        key, associated, message = (bytes.fromhex(case[name]) for name in ("key", "aad", "msg"))
        is_valid = case["result"] == "valid"
        tokens = pa.array([case["ct"]] * copies)
        decrypted = ciphers.aes_siv_decrypt_hex(tokens, key, associated_data=[associated])
        assert decrypted.to_pylist() == [message if is_valid else None] * copies, case["tcId"]
        messages = pa.array([message] * copies)
        encrypted = ciphers.aes_siv_encrypt_hex(messages, key, associated_data=[associated])
        assert (encrypted.to_pylist() == [case["ct"]] * copies) is is_valid, case["tcId"]
        seen[case["result"]] += 1
    assert seen == {"valid": 118, "invalid": 324}


def fate(case: Case) -> str:
    """What becomes of a case of FF1: it is taken, or the reason why not."""
    if case["result"] == "invalid":
        return "no key" if "InvalidKeySize" in case["flags"] else "no message"
    # Valid under the first edition of SP 800-38G; revision 1 wants domains of 1,000,000, and so do we.
    return "small domain" if "SmallMessageSize" in case["flags"] else "taken"


@pytest.mark.parametrize(
    ("base", "fates"),
    [
        (10, {"taken": 3300, "small domain": 12, "no message": 528, "no key": 5}),
        (36, {"taken": 2459, "small domain": 6, "no message": 384, "no key": 5}),
        (62, {"taken": 2133, "small domain": 6, "no message": 330, "no key": 5}),
    ],
)
@pytest.mark.parametrize("company", ["together", pytest.param("alone", marks=pytest.mark.integration)])
def test_ff1_passes_wycheproof_both_ways(
    base: int, fates: dict[str, int], company: str, ciphers: Kernels, shared: Path
) -> None:
    # Cases with key, alphabet and tweak in common are a column: long and short, valid and not.
    columns: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case, group in wycheproof(shared, f"aes_ff1_base{base}_test.json"):
        is_alone = company == "alone"
        columns[case["key"], group["alphabet"], case["tweak"], str(case["tcId"] * is_alone)].append(case)
    for (key, alphabet, tweak, _), cases in columns.items():
        ff1_both_ways(ciphers, bytes.fromhex(key), alphabet, bytes.fromhex(tweak), cases)
    assert Counter(fate(case) for cases in columns.values() for case in cases) == fates


def ff1_both_ways(ciphers: Kernels, key: bytes, alphabet: str, tweak: bytes, cases: list[Case]) -> None:
    for crypt, before, after in ((ciphers.ff1_encrypt, "msg", "ct"), (ciphers.ff1_decrypt, "ct", "msg")):
        # An invalid case has no ciphertext: decryption gets the message, and has to refuse it as well.
        values = pa.array([case[before] if case["result"] == "valid" else case["msg"] for case in cases])
        if any(fate(case) == "no key" for case in cases):
            assert {fate(case) for case in cases} == {"no key"}
            with pytest.raises(ValueError, match="Invalid key size"):
                crypt(values, key, alphabet=alphabet, tweak=tweak)
            continue
        expected = [case[after] if fate(case) == "taken" else None for case in cases]
        assert crypt(values, key, alphabet=alphabet, tweak=tweak).to_pylist() == expected, cases[0]["tcId"]


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
def test_hmac_passes_rfc_4231(hashes: Kernels, key: str, message: str, tag: str) -> None:
    result = hashes.hmac_sha256(pa.array([bytes.fromhex(message)]), bytes.fromhex(key), stop=len(tag))
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


def test_sha_256_gives_the_examples_of_fips_180(hashes: Kernels) -> None:
    messages, digests = zip(*FIPS_180, strict=True)
    assert hashes.sha256_suffix(pa.array(messages), b"").to_pylist() == list(digests)


def responses(name: str) -> list[dict[str, str]]:
    """The cases of a response file, which ends each with its digest."""
    lines = re.findall(r"^(\w+) = (\w+)$", (CAVP / name).read_text(), re.MULTILINE)
    cases: list[dict[str, str]] = [{}]
    for field, value in lines:
        cases[-1][field] = value
        if field == "MD":
            cases.append({})
    return cases[:-1]


def test_sha_256_passes_the_short_messages_of_cavp(hashes: Kernels) -> None:
    cases = responses("SHA256ShortMsg.rsp")
    messages = [bytes.fromhex(case["Msg"])[: int(case["Len"]) // 8] for case in cases]
    assert sorted(map(len, messages)) == list(range(65))
    assert hashes.sha256_suffix(pa.array(messages), b"").to_pylist() == [case["MD"] for case in cases]


def test_sha_256_passes_the_monte_carlo_test_of_cavp(hashes: Kernels) -> None:
    """The Secure Hash Algorithm Validation System, 6.4; its 100 chains go on side by side, each from a known digest."""
    cases = responses("SHA256Monte.rsp")
    digests = [bytes.fromhex(case["MD"]) for case in cases]
    seeds = np.array([list(digest) for digest in [bytes.fromhex(cases[0]["Seed"]), *digests[:-1]]], np.uint8)
    messages = np.tile(seeds, 3)
    offsets = pa.py_buffer(np.arange(0, messages.size + 1, 96, np.int32))
    for _ in range(1000):
        column = pa.Array.from_buffers(pa.binary(), len(messages), [None, offsets, pa.py_buffer(messages)])
        digest = hashes.sha256_suffix(column, b"", encoding="raw")
        last = np.frombuffer(digest.buffers()[2], np.uint8).reshape(-1, 32)
        messages = np.hstack([messages[:, 32:], last])
    assert digest.to_pylist() == digests
    assert len(digests) == 100


NIST_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94")
DIGITS, LETTERS = "0123456789", "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize(
    ("alphabet", "tweak", "plain", "encrypted"),
    [
        (DIGITS, "", "0123456789", ("2433477484", "2830668132", "6657667009")),
        (DIGITS, "39383736353433323130", "0123456789", ("6124200773", "2496655549", "1001623463")),
        (
            LETTERS,
            "3737373770717273373737",
            "0123456789abcdefghi",
            ("a9tv40mll9kdu509eum", "xbj3kv35jrawxv32ysr", "xs8a0azh2avyalyzuwd"),
        ),
    ],
)
def test_ff1_gives_the_samples_of_nist_both_ways(
    ciphers: Kernels, bits: int, alphabet: str, tweak: str, plain: str, encrypted: tuple[str, str, str]
) -> None:
    key, sample = NIST_KEY[: bits // 8], encrypted[bits // 64 - 2]
    for crypt, before, after in ((ciphers.ff1_encrypt, plain, sample), (ciphers.ff1_decrypt, sample, plain)):
        assert crypt(pa.array([before]), key, alphabet=alphabet, tweak=bytes.fromhex(tweak)).to_pylist() == [after]


@pytest.mark.parametrize(
    ("key", "associated", "message", "sealed"),
    [
        (
            "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            ["101112131415161718191a1b1c1d1e1f2021222324252627"],
            "112233445566778899aabbccddee",
            "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
        ),
        (  # three strings, the last of which is a nonce
            "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
            [
                "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
                "102030405060708090a0",
                "09f911029d74e35bd84156c5635688c0",
            ],
            "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
            "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
            "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
        ),
    ],
    ids=["A.1", "A.2"],
)
def test_aes_siv_gives_the_examples_of_rfc_5297_both_ways(
    ciphers: Kernels, key: str, associated: list[str], message: str, sealed: str
) -> None:
    secret, plain = bytes.fromhex(key), bytes.fromhex(message)
    data = [bytes.fromhex(component) for component in associated]
    assert ciphers.aes_siv_encrypt_hex(pa.array([plain]), secret, associated_data=data).to_pylist() == [sealed]
    assert ciphers.aes_siv_decrypt_hex(pa.array([sealed]), secret, associated_data=data).to_pylist() == [plain]
