"""The native kernels against their Python twins and `hashlib`, on every instruction set of the machine."""

from __future__ import annotations

import hashlib
import hmac
import string
from base64 import b32encode

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cape_airflow.kernels import ff1, hashing, prf, siv
from cape_airflow.kernels.encodings import Encoding
from cape_airflow.kernels.text import bytes_type, text_type

_native = pytest.importorskip("cape_airflow.kernels._native", reason="the native kernels were not built")
native = pytest.importorskip("cape_airflow.kernels.native")

TYPES = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view(), pa.binary_view()]
AES_KEYS = st.sampled_from([bytes(range(16)), bytes(range(24)), bytes(range(32))])
SIV_KEYS = st.sampled_from([bytes(range(32)), bytes(range(48)), bytes(range(64))])
DIGITS, LETTERS = string.digits, string.digits + string.ascii_uppercase + string.ascii_lowercase
WIDE = "".join(map(chr, range(0x10000, 0x20000)))
ALPHABETS = st.sampled_from([DIGITS, "01", LETTERS, "aé日😀", "éèàü", WIDE])

# A fixture of a hypothesis test stays for all examples, and may.
every_example = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(params=_native.instruction_sets())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(native, "INSTRUCTION_SET", request.param)
    return request.param


@st.composite
def columns(draw: st.DrawFn, value: st.SearchStrategy[str], largest: int = 50) -> pa.Array:
    """A slice of a column with nulls, of any type that holds text."""
    values = draw(st.lists(st.one_of(st.none(), value), max_size=largest))
    start, stop = sorted(draw(st.tuples(st.integers(0, len(values)), st.integers(0, len(values)))))
    return pa.array(values, pa.string()).cast(draw(st.sampled_from(TYPES)))[start:stop]


# Lengths on both sides of every change in the number of blocks of SHA-256 and of AES.
LENGTHS = st.one_of(st.integers(0, 40), st.integers(50, 70), st.integers(110, 140), st.sampled_from([1000, 5000]))
TEXT = st.builds(lambda length, character: character * length, LENGTHS, st.sampled_from("aZ9"))


def same(result: pa.Array, expected: pa.Array) -> None:
    result.validate(full=True)
    assert result.type == expected.type
    assert result.to_pylist() == expected.to_pylist()


ENCODINGS = st.sampled_from(["hex", "base32", "raw"])
STOPS = st.one_of(st.none(), st.integers(-70, 70))


@every_example
@given(
    array=columns(TEXT),
    key=st.binary(max_size=200),
    encoding=ENCODINGS,
    prefix=st.sampled_from(["", "t1_", "é" * 9]),
    stop=STOPS,
)
def test_hmac_is_the_twins(
    isa: str, array: pa.Array, key: bytes, encoding: Encoding, prefix: str, stop: int | None
) -> None:
    plain = array.cast(bytes_type(array.type))
    expected = hashing.hmac_sha256(plain, key, encoding=encoding, prefix=prefix, stop=stop)
    same(native.hmac_sha256(array, key, encoding=encoding, prefix=prefix, stop=stop), expected)


@every_example
@given(array=columns(TEXT), suffix=st.binary(max_size=200), encoding=ENCODINGS, stop=STOPS)
def test_the_suffix_hash_is_the_twins(
    isa: str, array: pa.Array, suffix: bytes, encoding: Encoding, stop: int | None
) -> None:
    plain = array.cast(bytes_type(array.type))
    expected = hashing.sha256_suffix(plain, suffix, encoding=encoding, stop=stop)
    same(native.sha256_suffix(array, suffix, encoding=encoding, stop=stop), expected)


def test_every_length_in_any_company_gives_the_digest_of_hashlib(isa: str) -> None:
    random = np.random.default_rng(6)
    lengths = [*range(300), 70_000, 100_003, *random.integers(0, 60, 2_000), *random.integers(0, 3_000, 600)]
    values = [random.bytes(int(length)) for length in random.permutation(lengths)]
    array = pa.array(values, pa.binary())
    digests = [hmac.digest(b"key", value, "sha256") for value in values]
    assert native.hmac_sha256(array, b"key", encoding="raw").to_pylist() == digests
    assert native.hmac_sha256(array, b"key").to_pylist() == [digest.hex() for digest in digests]
    assert native.hmac_sha256(array, b"key", encoding="base32").to_pylist() == [
        b32encode(digest).decode().lower().rstrip("=") for digest in digests
    ]
    assert native.sha256_suffix(array, b"key").to_pylist() == [
        hashlib.sha256(value + b"key").hexdigest() for value in values
    ]


@given(
    array=columns(TEXT),
    key=SIV_KEYS,
    components=st.one_of(st.none(), st.lists(st.binary(max_size=40), max_size=3)),
    prefix=st.sampled_from(["", "e1_"]),
)
def test_siv_is_the_twins_both_ways(array: pa.Array, key: bytes, components: list[bytes] | None, prefix: str) -> None:
    plain = array.cast(text_type(array.type))
    sealed = native.aes_siv_encrypt_hex(plain, key, associated_data=components, prefix=prefix)
    same(sealed, siv.aes_siv_encrypt_hex(plain, key, associated_data=components, prefix=prefix))
    messages = native.aes_siv_decrypt_hex(sealed, key, associated_data=components, prefix=prefix)
    same(messages, siv.aes_siv_decrypt_hex(sealed, key, associated_data=components, prefix=prefix))
    assert messages.to_pylist() == plain.cast(pa.large_binary()).to_pylist()


def test_siv_of_every_length_in_any_company_is_the_twins() -> None:
    random = np.random.default_rng(7)
    lengths = [*range(300), 70_000, 100_003, *random.integers(0, 60, 2_000)]
    array = pa.array([random.bytes(int(length)) for length in random.permutation(lengths)], pa.binary())
    sealed = native.aes_siv_encrypt_hex(array, bytes(range(64)), associated_data=[b"1", b"domain"])
    same(sealed, siv.aes_siv_encrypt_hex(array, bytes(range(64)), associated_data=[b"1", b"domain"]))
    same(native.aes_siv_decrypt_hex(sealed, bytes(range(64)), associated_data=[b"1", b"domain"]), array)


def test_every_flipped_bit_makes_a_null_and_leaves_no_byte_behind() -> None:
    key, plain = bytes(range(64)), "alice@example.com"
    [token] = native.aes_siv_encrypt_hex(pa.array([plain]), key, associated_data=[b"1"]).to_pylist()
    number = int(token, 16)
    flipped = [f"{number ^ (1 << bit):0{len(token)}x}" for bit in range(4 * len(token))]
    wrong = [*flipped, token[:-1] + "g", token[:-1] + "é", token[:-2], "", "ab" * 16]
    messages = native.aes_siv_decrypt_hex(pa.array([token, *wrong, token.upper()]), key, associated_data=[b"1"])
    assert messages.to_pylist() == [plain.encode(), *[None] * len(wrong), plain.encode()]
    assert messages.buffers()[2].to_pybytes() == 2 * plain.encode()


@given(
    alphabet=ALPHABETS,
    key=AES_KEYS,
    tweak=st.binary(max_size=40),
    keep=st.sampled_from(["", "-", "-–"]),
    data=st.data(),
)
def test_ff1_is_the_twins_both_ways(alphabet: str, key: bytes, tweak: bytes, keep: str, data: st.DataObject) -> None:
    some = alphabet[:20] + alphabet[-20:]
    short, long = st.text(some + keep + "x", max_size=40), st.text(some, min_size=100, max_size=260)
    array = data.draw(columns(st.one_of(short, st.text(some, max_size=40), long), 8))
    array = array.cast(text_type(array.type))
    for function, twin in ((native.ff1_encrypt, ff1.ff1_encrypt), (native.ff1_decrypt, ff1.ff1_decrypt)):
        same(
            function(array, key, alphabet=alphabet, tweak=tweak, keep=keep),
            twin(array, key, alphabet=alphabet, tweak=tweak, keep=keep),
        )


@pytest.mark.parametrize("alphabet", [DIGITS, "01", LETTERS, "aé日😀", WIDE])
def test_ff1_of_many_lengths_together_is_the_twins(alphabet: str) -> None:
    random = np.random.default_rng(8)
    sizes = [*range(70), *random.integers(16, 17, 1_500), *random.integers(2, 100, 700)]
    values = ["".join(alphabet[place] for place in random.integers(0, len(alphabet), size)) for size in sizes]
    array = pa.array(values)
    encrypted = native.ff1_encrypt(array, bytes(range(16)), alphabet=alphabet, tweak=b"tweak")
    same(encrypted, ff1.ff1_encrypt(array, bytes(range(16)), alphabet=alphabet, tweak=b"tweak"))
    back = native.ff1_decrypt(encrypted, bytes(range(16)), alphabet=alphabet, tweak=b"tweak").to_pylist()
    assert back == [value if len(value) >= ff1.shortest(len(alphabet)) else None for value in values]


def test_ff1_refuses_text_that_is_no_utf_8_like_any_other_foreign_text() -> None:
    broken = pa.array([b"0123456789", b"01234567\xff9", b"\xed\xa0\x80"]).view(pa.string())
    for alphabet in (DIGITS, DIGITS + "é"):
        result = native.ff1_encrypt(broken, bytes(16), alphabet=alphabet)
        assert result.is_valid().to_pylist() == [True, False, False]


@given(
    rows=st.lists(st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4), max_size=700),
    count=st.integers(1, 4),
    key=AES_KEYS,
    draw=st.integers(0, 2**48 - 1),
)
def test_keyed_words_are_the_twins(rows: list[list[int]], count: int, key: bytes, draw: int) -> None:
    values = np.array(rows, np.uint64).reshape(-1, 4)[::-1, :count]
    words, expected = native.prf_words(values, key, draw), prf.prf_words(values, key, draw)
    assert words.dtype == expected.dtype
    assert words.shape == expected.shape
    assert (words == expected).all()


def test_keys_that_are_no_keys_are_refused_in_the_twins_words() -> None:
    array = pa.array(["0123456789"])
    for length in (0, 15, 33, 128):
        with pytest.raises(ValueError, match=rf"Invalid key size \({8 * length}\) for AES"):
            native.ff1_encrypt(array, bytes(length), alphabet=DIGITS)
        with pytest.raises(ValueError, match=rf"Invalid key size \({8 * length}\) for AES"):
            native.prf_words(np.zeros((1, 1), np.uint64), bytes(length))
        with pytest.raises(ValueError, match="AESSIV key must be 256, 384, or 512 bits"):
            native.aes_siv_encrypt_hex(array, bytes(length))


@pytest.mark.parametrize(("alphabet", "keep"), [("", ""), ("0", ""), ("00", ""), ("01", "1"), (WIDE + "0", "")])
def test_alphabets_that_are_none_are_refused(alphabet: str, keep: str) -> None:
    with pytest.raises(ValueError, match="an alphabet has 2 to 65,536 distinct characters, none of which is kept"):
        native.ff1_encrypt(pa.array(["0101"]), bytes(16), alphabet=alphabet, keep=keep)
