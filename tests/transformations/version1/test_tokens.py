"""Cape's tokens, bit for bit: what Cape Python 0.3 gave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import KeyUnavailable, SchemaMismatch, ValueRefused
from cape_airflow.keys import KeyRing
from cape_airflow.transformations import create

Transform = Callable[..., pa.Array]
Ring = Callable[..., KeyRing]

SECRET_KEY = {
    "Alice": "70a4b1a987767abf36463cd3e3f2b37144132e572fbb9b39f28bcaafe10d9b24",
    "Bob": "dd4532a296deb4f114b1e7e88faefe4fb2b32c559ac15a8c6bcbdbcbc2aa4d4b",
    "alice": "4ae0639267ad49c658e8d266aa1caa51c876ed1d7ca788a0749d5189248295eb",
    "bob": "db6063546d5d6c1fd3826bc0a1d8188fa0dae1a174823eac1e8e063a073bf149",
    "": "6523e58bc0eec42c31b9635d5e0dfc23b6d119b73e633bf3a5284c79bb4a1ede",
    "a": "fc229dce8f08b6b7584ef64ffd606cd3ce65494fa059d9dc88a3d16e075ef49e",
    "Zoë": "af1fd084f16c6be749ef6773b9ebcb105361414765a1bce3ad4e8cd3660bef99",
    "日本": "341226f1ed1bb88499b26acca000056fb1cb2b0e5c2690979af102014f42a95a",
    "user@example.com": "0ee6768ab4e4eb5b2931be29d6fcf937ab1ef18fed5360facd807564088e4580",
    "123-45-6789": "65efb3f2cea354148f91dbad1bac15d05d2d65bffa89d9e7c4a961b18106db46",
    "x" * 100: "01b8f82d0a850e5e1fa31414e7bf39292aeaaad23eedb85cbf957edaa1b06908",
    " leading": "133f6a08e32e1e86f77c6d10bede28cad401ffdd471cf77913cd7ee4c97ad1ed",
}
MY_SECRET = {
    "alice": "f42c2f196455fb58e10aef458454499263cc0e92962509349395c20262a148c8",
    "bob": "2e586494b2989f6af299cb3a18818f95a0c4a701d1d9a2f70d903ef898208245",
}
BYTES = {
    "Alice": "0ccbafb5670364090dd77bc6e80395877971e5b672952ce7e70f898767253ed4",
    "bob": "9b4890dfc0478f76877cdfb3803110845485371512f2757c8527d68855630796",
}
FIVES = {
    "Alice": "c8c7e80144304276183e5bcd589db782bc5ff95309",
    "Bob": "e0f40aea0d5c21b35967c4231b98b5b3e5338e",
    "alice": "daed23af104077a00e80598b2bd70c8b32aa966dbe",
    "bob": "b670bce84a18b526872d667b3837bbc93699d0",
    "": "b5515b3e1743718ac3e9519e565b1507",
    "a": "ee2124023ff13d4e533a82e81a372e0443",
    "Zoë": "9982cc3a7dcb5b7e145ab2bb1a9fa3b65a4e3b29",
    "日本": "677bc262db695197fce1e42527d0eb9d3c0550caa357",
    "user@example.com": "e75d59f48db8a083b3720cc37ab4bf8e41b9ef0cc686e9449b88daf54d4e9aaf",
    "123-45-6789": "18ebfb0fdd5d96d61d1947876d6c0e3e545b648b70fb74b2d9b65c",
}
COUNTING = {
    "Alice": "4744cd07f6bab507c73223352567836f04fc0e6318",
    "": "6890e5685ed0253753a2121dab850fdf",
    "user@example.com": "d4a70cdcc05004e44dc7d7d0d43a6ad55c1f1a642afad37305116bf8ddd53e6a",
}
OLD_SECRET = {
    "Alice": "d90188aa9592c74da6bf697dee9411d165e2d3f528",
    "bob": "4b6de497edcaece7a62b2e8dc8df8fcedd9857",
}
OLD_SECRET_KEY = bytes.fromhex("9b960d2813fe6b718ccb2e76e39ee893ee33407a8bba20776850fb98f4c1a687")

KEY = {"ref": "k"}
TOKENIZER = {"type": "tokenizer", "key": KEY}
ENCRYPT = {"type": "reversible-tokenizer", "key": KEY}
DECRYPT = {"type": "token-reverser", "key": KEY}


@pytest.mark.parametrize(
    ("key", "tokens"), [(b"secret_key", SECRET_KEY), (b"my secret", MY_SECRET), (b"\x00\x01\xff", BYTES)]
)
def test_tokenizer_gives_capes_tokens(key: bytes, tokens: dict[str, str], transform: Transform, ring: Ring) -> None:
    result = transform(TOKENIZER, pa.array([*tokens, None]), keys=ring(k=key))
    assert result.to_pylist() == [*tokens.values(), None]


@pytest.mark.parametrize("length", [0, 1, 5, 10, 63, 64, 65, 100, -1, -4, -64, -65])
def test_max_token_len_cuts_as_a_python_slice_does(length: int, transform: Transform, ring: Ring) -> None:
    spec = {**TOKENIZER, "max_token_len": length}
    [token] = transform(spec, pa.array(["alice"]), keys=ring(k=b"my secret")).to_pylist()
    assert token == MY_SECRET["alice"][:length]


def test_ten_character_tokens_are_capes(transform: Transform, ring: Ring) -> None:
    spec = {**TOKENIZER, "max_token_len": 10}
    result = transform(spec, pa.array(["Alice", "Bob"]), keys=ring(k=b"secret_key"))
    assert result.to_pylist() == ["70a4b1a987", "dd4532a296"]


@given(values=st.lists(st.text(), min_size=1), key=st.binary(min_size=1))
def test_a_token_is_sha256_of_value_and_key(values: list[str], key: bytes, transform: Transform, ring: Ring) -> None:
    expected = [hashlib.sha256(value.encode() + key).hexdigest() for value in values]
    assert transform(TOKENIZER, pa.array(values), keys=ring(k=key)).to_pylist() == expected


def test_without_a_key_tokens_differ_from_run_to_run_and_a_note_says_so(transform: Transform) -> None:
    array = pa.array(["Alice", "Alice", "Bob"])
    first, second = (transform({"type": "tokenizer"}, array).to_pylist() for _ in range(2))
    assert first[0] == first[1] != first[2]
    assert not set(first) & set(second)
    assert any("random key" in note for note in create({"type": "tokenizer"}).notes())
    assert not list(create(TOKENIZER).notes())


def test_short_tokens_are_noted() -> None:
    assert list(create({**TOKENIZER, "max_token_len": 10}).notes()) == [
        "tokens of 10 hex digits: of 1,000,000 different values, about 0.45 pairs share one"
    ]
    assert any("tokens of 4 hex" in note for note in create({**TOKENIZER, "max_token_len": -60}).notes())


def test_an_empty_key_is_refused_not_replaced(transform: Transform, ring: Ring) -> None:
    with pytest.raises(KeyUnavailable, match="empty"):
        transform(TOKENIZER, pa.array(["a"]), keys=ring(k=b""))


@pytest.mark.parametrize(
    ("key", "tokens"), [(b"5" * 32, FIVES), (bytes(range(32)), COUNTING), (OLD_SECRET_KEY, OLD_SECRET)]
)
def test_reversible_tokenizer_gives_capes_tokens_and_the_reverser_takes_them_back(
    key: bytes, tokens: dict[str, str], transform: Transform, ring: Ring
) -> None:
    plain = pa.array([*tokens, None])
    encrypted = transform(ENCRYPT, plain, keys=ring(k=key))
    assert encrypted.to_pylist() == [*tokens.values(), None]
    assert transform(DECRYPT, encrypted, keys=ring(k=key)).equals(plain)


@pytest.mark.parametrize(
    ("encoding", "value", "token"),
    [
        ("utf-16", "Alice", "61dee53caa1ccc25c7cc56d2f8cfd45e42cee1eb732169be30bfe533"),
        ("latin-1", "Zoë", "2a356e104d1213487d4ecf4b34445aa851e0b5"),
    ],
)
def test_other_encodings_give_capes_tokens(
    encoding: str, value: str, token: str, transform: Transform, ring: Ring
) -> None:
    keys = ring(k=b"5" * 32)
    assert transform({**ENCRYPT, "encoding": encoding}, pa.array([value]), keys=keys).to_pylist() == [token]
    assert transform({**DECRYPT, "encoding": encoding}, pa.array([token]), keys=keys).to_pylist() == [value]


def test_the_reverser_takes_upper_case_and_spaces_as_cape_did(transform: Transform, ring: Ring) -> None:
    token = FIVES["Alice"].upper()
    spaced = f"{token[:2]} {token[2:]}"
    assert transform(DECRYPT, pa.array([token, spaced]), keys=ring(k=b"5" * 32)).to_pylist() == ["Alice", "Alice"]


@pytest.mark.parametrize("key", [b"", b"5" * 16, b"5" * 31, b"5" * 33, b"5" * 64])
@pytest.mark.parametrize("spec", [ENCRYPT, DECRYPT])
def test_a_reversible_key_is_of_32_bytes(spec: dict[str, object], key: bytes, transform: Transform, ring: Ring) -> None:
    with pytest.raises(KeyUnavailable, match=f"takes a key of 32 bytes; `k` has {len(key)}"):
        transform(spec, pa.array(["a"]), keys=ring(k=key))


def test_foreign_changed_and_cut_tokens_are_refused_alike(transform: Transform, ring: Ring) -> None:
    token = FIVES["Alice"]
    wrong = pa.array([token, COUNTING["Alice"], "0" + token[1:], token[:31], token + "00", "no hex", "", None])
    with pytest.raises(ValueRefused, match="6 values refused: no tokens of this key, or changed"):
        transform(DECRYPT, wrong, keys=ring(k=b"5" * 32))


def test_a_wrong_encoding_for_decryption_is_refused(transform: Transform, ring: Ring) -> None:
    with pytest.raises(ValueRefused, match="1 value refused: not text in ascii"):
        transform({**DECRYPT, "encoding": "ascii"}, pa.array([FIVES["Zoë"]]), keys=ring(k=b"5" * 32))


def test_only_text_has_tokens(transform: Transform, ring: Ring) -> None:
    with pytest.raises(SchemaMismatch, match="`tokenizer` takes text, not int64"):
        transform(TOKENIZER, pa.array([1]), keys=ring(k=b"k"))


def test_categories_stay_categories(transform: Transform, ring: Ring) -> None:
    array = pa.array(["Bob", "Alice", None, "Bob"]).dictionary_encode()
    result = transform(TOKENIZER, array, keys=ring(k=b"secret_key"))
    assert result.type == pa.dictionary(pa.int32(), pa.string())
    assert result.to_pylist() == [SECRET_KEY["Bob"], SECRET_KEY["Alice"], None, SECRET_KEY["Bob"]]
