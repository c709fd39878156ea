from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels.ff1 import ff1_decrypt, ff1_encrypt, shortest

DIGITS = "0123456789"
KEYS = st.sampled_from([bytes(range(16)), bytes(range(24)), bytes(range(32))])
WIDE = "".join(map(chr, range(0x10000, 0x20000)))


@pytest.mark.parametrize("alphabet", ["01", DIGITS, "0123456789abcdef", "aé日𝄞z", WIDE[:300]])
@given(data=st.data(), key=KEYS, tweak=st.binary(max_size=40))
def test_decryption_gives_back_what_was_encrypted(alphabet: str, data: st.DataObject, key: bytes, tweak: bytes) -> None:
    least = shortest(len(alphabet))
    texts = st.text(st.sampled_from(alphabet), min_size=least, max_size=least + 70)
    values = data.draw(st.lists(st.one_of(st.none(), texts), max_size=6))
    for kind in (pa.string(), pa.large_string()):
        plain = pa.array([None, *values], kind)[1:]
        encrypted = ff1_encrypt(plain, key, alphabet=alphabet, tweak=tweak)
        assert encrypted.type == kind
        assert [value and len(value) for value in encrypted.to_pylist()] == [value and len(value) for value in values]
        assert ff1_decrypt(encrypted, key, alphabet=alphabet, tweak=tweak).equals(plain)


def test_an_alphabet_may_be_as_large_as_the_standard_allows() -> None:
    plain = pa.array([WIDE[::-6000], WIDE[:2]])
    encrypted = ff1_encrypt(plain, bytes(16), alphabet=WIDE)
    assert ff1_decrypt(encrypted, bytes(16), alphabet=WIDE).equals(plain)
    assert not encrypted.equals(plain)


@given(values=st.lists(st.from_regex(r"[0-9]{6,40}", fullmatch=True), min_size=1), tweak=st.binary(max_size=20))
def test_a_value_is_encrypted_alike_whatever_stands_beside_it(values: list[str], tweak: bytes) -> None:
    whole = ff1_encrypt(pa.array(values), bytes(32), alphabet=DIGITS, tweak=tweak)
    alone = [ff1_encrypt(pa.array([value]), bytes(32), alphabet=DIGITS, tweak=tweak)[0] for value in values]
    assert whole.to_pylist() == [value.as_py() for value in alone]


@given(values=st.lists(st.from_regex(r"[0-9][0-9 .é-]{4,12}[0-9]{6}", fullmatch=True)))
def test_kept_characters_stay_and_do_not_change_the_rest(values: list[str]) -> None:
    kept = " .é-"
    encrypted = ff1_encrypt(pa.array(values, pa.string()), bytes(16), alphabet=DIGITS, keep=kept)
    for value, result in zip(values, encrypted.to_pylist(), strict=True):
        bare = "".join(one for one in value if one not in kept)
        [digits] = ff1_encrypt(pa.array([bare]), bytes(16), alphabet=DIGITS).to_pylist()
        places = iter(digits)
        assert result == "".join(one if one in kept else next(places) for one in value)
    assert ff1_decrypt(encrypted, bytes(16), alphabet=DIGITS, keep=kept).to_pylist() == values


def test_what_cannot_be_taken_becomes_null_and_leaves_no_bytes() -> None:
    values = pa.array(["12345", "123456", "12-3456", "1234567x", "", None, "1234567日"])
    for keep in ("", "é"):
        result = ff1_encrypt(values, bytes(16), alphabet=DIGITS, keep=keep)
        assert result.is_valid().to_pylist() == [False, True, False, False, False, False, False]
        assert len(result.buffers()[2]) == 6


@pytest.mark.parametrize(
    ("radix", "length"), [(2, 20), (10, 6), (16, 5), (36, 4), (62, 4), (100, 3), (1000, 2), (65_536, 2)]
)
def test_the_shortest_value_has_a_domain_of_a_million(radix: int, length: int) -> None:
    assert shortest(radix) == length
    assert radix**length >= 1_000_000
    alphabet = WIDE[:radix]
    lengths = (length - 1, length)
    result = ff1_encrypt(pa.array([alphabet[-1] * size for size in lengths]), bytes(16), alphabet=alphabet)
    assert result.is_valid().to_pylist() == [False, True]


def test_all_values_of_a_domain_are_permuted() -> None:
    everything = pa.array([f"{number:06d}" for number in range(10**6)])
    encrypted = ff1_encrypt(everything, bytes(32), alphabet=DIGITS)
    assert len(encrypted.unique()) == 10**6
    assert not encrypted.equals(everything)


@pytest.mark.parametrize("length", [0, 15, 17, 33])
def test_keys_of_other_lengths_are_no_keys_even_without_values(length: int) -> None:
    with pytest.raises(ValueError, match="Invalid key size"):
        ff1_encrypt(pa.array([], pa.string()), bytes(length), alphabet=DIGITS)
