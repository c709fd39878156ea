from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.siv import aes_siv_decrypt_hex, aes_siv_encrypt_hex

KEYS = st.sampled_from([bytes(range(32)), bytes(range(48)), bytes(range(64))])
MANY = 100  # of values of one length, so that they are encrypted together
COMPONENTS = st.one_of(st.none(), st.lists(st.binary(max_size=20), max_size=3))


@given(values=st.lists(st.one_of(st.none(), st.binary())), key=KEYS, components=COMPONENTS)
def test_decryption_gives_back_what_was_encrypted(
    values: list[bytes | None], key: bytes, components: list[bytes] | None
) -> None:
    for kind in (pa.binary(), pa.large_binary()):
        plain = pa.array(values, kind)
        tokens = aes_siv_encrypt_hex(plain, key, associated_data=components, prefix="e1_")
        assert aes_siv_decrypt_hex(tokens, key, associated_data=components, prefix="e1_").equals(plain)


@given(
    lengths=st.lists(st.integers(0, 70), min_size=1, max_size=6),
    key=KEYS,
    components=COMPONENTS,
    prefix=st.text(max_size=5),
    seed=st.integers(0, 2**32),
)
def test_many_values_are_encrypted_as_cryptography_encrypts_each(
    lengths: list[int], key: bytes, components: list[bytes] | None, prefix: str, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    values = [generator.bytes(length) for length in generator.permutation(lengths * MANY).tolist()]
    values[seed % len(values)] = None
    single = AESSIV(key)
    expected = [None if value is None else prefix + single.encrypt(value, components).hex() for value in values]
    plain = pa.array(values, pa.binary())
    tokens = aes_siv_encrypt_hex(plain, key, associated_data=components, prefix=prefix)
    assert tokens.to_pylist() == expected
    assert aes_siv_decrypt_hex(tokens, key, associated_data=components, prefix=prefix).equals(plain)


def test_of_many_tokens_the_changed_ones_become_null_and_no_others() -> None:
    key, generator = bytes(range(64)), np.random.default_rng(1)
    values = [generator.bytes(length % 40) for length in range(5000)]
    tokens = aes_siv_encrypt_hex(pa.array(values), key, prefix="e1_").to_pylist()
    for row in range(0, 5000, 7):
        place, token = int(generator.integers(0, len(tokens[row]))), tokens[row]
        wrong = "g" if token[place] == "f" else "f"
        tokens[row] = [token[:place] + wrong + token[place + 1 :], token[:-1], token[:-2], token + "00"][row % 4]
    expected = [None if row % 7 == 0 else value for row, value in enumerate(values)]
    assert aes_siv_decrypt_hex(pa.array(tokens), key, prefix="e1_").to_pylist() == expected


def test_what_is_no_token_becomes_null_without_a_reason() -> None:
    key, other = bytes(range(64)), bytes(64)
    [token] = aes_siv_encrypt_hex(pa.array(["alice"]), key, associated_data=[b"1", b"a"], prefix="e1_").to_pylist()
    wrong = ["", "e1_", "e1_00", "e1_zz", token[3:], token + "00", token[:-2], "e2_" + token[3:], "日本", None]
    for associated_data, secret in (([b"1", b"a"], key), ([b"1", b"b"], key), ([b"1a"], key), ([b"1", b"a"], other)):
        tokens = pa.array([*wrong, token])
        result = aes_siv_decrypt_hex(tokens, secret, associated_data=associated_data, prefix="e1_").to_pylist()
        is_right = (associated_data, secret) == ([b"1", b"a"], key)
        assert result == [*[None] * len(wrong), b"alice" if is_right else None]


def test_every_flipped_bit_is_noticed() -> None:
    key = bytes(range(64))
    [token] = aes_siv_encrypt_hex(pa.array(["alice@example.com"]), key, associated_data=[b"1"]).to_pylist()
    sealed = int(token, 16)
    flipped = [f"{sealed ^ (1 << bit):0{len(token)}x}" for bit in range(4 * len(token))]
    assert aes_siv_decrypt_hex(pa.array(flipped), key, associated_data=[b"1"]).null_count == len(flipped)


def test_no_associated_data_differs_from_an_empty_one() -> None:
    none, empty = (
        aes_siv_encrypt_hex(pa.array(["alice"]), bytes(range(32)), associated_data=data).to_pylist()
        for data in (None, [b""])
    )
    assert none != empty


@pytest.mark.parametrize("length", [0, 16, 31, 63, 65])
def test_keys_of_other_lengths_are_no_keys(length: int) -> None:
    with pytest.raises(ValueError, match="AESSIV key must be"):
        aes_siv_encrypt_hex(pa.array(["a"]), bytes(length))
