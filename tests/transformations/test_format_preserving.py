from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import KeyUnavailable, PolicyError, SchemaMismatch, ValueRefused
from cape_airflow.kernels.ff1 import ff1_encrypt
from cape_airflow.keys import Key, KeyRing, Secret, derive
from cape_airflow.transformations import Transformation, create
from cape_airflow.transformations.format_preserving import ALPHABETS

Transform = Callable[..., pa.Array]
Ring = Callable[..., KeyRing]

ENCRYPT = {"type": "format-preserving-encryption", "key": {"ref": "customer-id"}, "version": 1}
REVEAL = {**ENCRYPT, "type": "reveal", "of": "format-preserving-encryption"}
WIDEST = {pa.int32(): 9, pa.uint32(): 9, pa.int64(): 18, pa.uint64(): 19}


class Versions:
    """One key with two versions."""

    def __init__(self, primary: int) -> None:
        self._key = Key("customer-id", {number: Secret(bytes([number]) * 32) for number in (1, 2)}, primary)

    def get(self, name: str) -> Key | None:
        return self._key if name == "customer-id" else None

    def names(self) -> tuple[str, ...]:
        return ("customer-id",)


@given(values=st.lists(st.from_regex(r"[0-9]{6,20}", fullmatch=True), min_size=1), domain=st.text(max_size=10))
def test_text_is_ff1_under_a_key_derived_for_technique_key_and_domain(
    values: list[str], domain: str, transform: Transform
) -> None:
    purpose = "format-preserving-encryption/customer-id"
    secret = derive(Secret(bytes(range(64))), purpose=purpose, domain=domain, length=32).reveal()
    expected = ff1_encrypt(pa.array(values), secret, alphabet="0123456789")
    assert transform(ENCRYPT, pa.array(values), domain=domain).equals(expected)


@pytest.mark.parametrize("alphabet", [*ALPHABETS, "aé日𝄞z", "AC"])
@given(data=st.data())
def test_a_value_keeps_its_length_alphabet_and_kept_characters_and_can_be_revealed(
    alphabet: str, data: st.DataObject, transform: Transform
) -> None:
    characters = ALPHABETS.get(alphabet, alphabet)
    texts = st.text(st.sampled_from(characters), min_size=20, max_size=30)
    values = data.draw(st.lists(st.one_of(st.none(), texts.map(lambda text: f"-{text[:3]} {text[3:]}-")), min_size=1))
    more = {"alphabet": alphabet, "keep": "- "}
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        plain = pa.array(values, kind)
        encrypted = transform({**ENCRYPT, **more}, plain)
        for value, result in zip(values, encrypted.to_pylist(), strict=True):
            assert (value is None) == (result is None)
            if value is not None:
                assert (result[0], result[4], result[-1], len(result)) == ("-", " ", "-", len(value))
                assert set(result) - set("- ") <= set(characters)
        assert transform({**REVEAL, **more}, encrypted).to_pylist() == values


@pytest.mark.parametrize("kind", WIDEST)
@given(data=st.data())
def test_integers_keep_their_width_and_sign_and_can_be_revealed(
    kind: pa.DataType, data: st.DataObject, transform: Transform
) -> None:
    width = data.draw(st.one_of(st.none(), st.integers(6, WIDEST[kind])))
    least = 0 if pa.types.is_unsigned_integer(kind) else -(10 ** (width or WIDEST[kind]))
    numbers = st.integers(least, 10 ** (width or WIDEST[kind]) - 1)
    ends = [least, -least - 1 if least else 0, 10 ** (width or WIDEST[kind]) - 1]
    plain = pa.array([*ends, *data.draw(st.lists(st.one_of(st.none(), numbers)))], kind)
    encrypted = transform({**ENCRYPT, "width": width}, plain)
    for value, result in zip(plain.to_pylist(), encrypted.to_pylist(), strict=True):
        if value is not None:
            assert (value < 0) == (result < 0)
            assert least <= result < 10 ** (width or WIDEST[kind])
    assert transform({**REVEAL, "width": width}, encrypted).equals(plain)


def test_integers_of_both_signs_are_permuted(transform: Transform) -> None:
    everything = pa.array(np.arange(-1_000_000, 1_000_000))
    encrypted = transform({**ENCRYPT, "width": 6}, everything)
    assert len(encrypted.unique()) == len(everything)
    opposite = -1 - encrypted.to_numpy()[::-1]
    assert (opposite == encrypted.to_numpy()).mean() < 1e-4


def test_an_integer_joins_with_text_of_its_width(transform: Transform) -> None:
    numbers, texts = pa.array([42, 4556737586899855]), pa.array(["0000000000000042", "4556737586899855"])
    encrypted = transform({**ENCRYPT, "width": 16}, numbers).to_pylist()
    assert [f"{number:016d}" for number in encrypted] == transform(ENCRYPT, texts).to_pylist()


def test_results_join_inside_a_key_version_and_domain_and_never_across(transform: Transform, ring: Ring) -> None:
    array = pa.array([f"{number:016d}" for number in range(2000)])
    keys = ring(customer_id=bytes(64), other=bytes(64))
    columns = [
        transform(ENCRYPT, array, keys=keys, domain="a"),
        transform(ENCRYPT, array, keys=keys, domain="b"),
        transform({**ENCRYPT, "key": {"ref": "other"}}, array, keys=keys, domain="a"),
        transform(ENCRYPT, array, keys=KeyRing(Versions(1)), domain="a"),
        transform({**ENCRYPT, "version": 2}, array, keys=KeyRing(Versions(1)), domain="a"),
    ]
    assert len({value for column in columns for value in column.to_pylist()}) == len(columns) * len(array)
    assert columns[0].equals(transform(ENCRYPT, array, keys=keys, domain="a"))


def test_a_rotation_of_the_key_changes_nothing_until_the_policy_names_the_new_version(transform: Transform) -> None:
    array = pa.array(["0123456789"])
    before, after = (transform(ENCRYPT, array, keys=KeyRing(Versions(primary))) for primary in (1, 2))
    renewed = transform({**ENCRYPT, "version": 2}, array, keys=KeyRing(Versions(2)))
    assert before.equals(after)
    assert not before.equals(renewed)
    assert transform(REVEAL, before, keys=KeyRing(Versions(2))).equals(array)
    note = next(create(ENCRYPT).notes())
    assert "pinned to version 1 of key `customer-id`" in note


@pytest.mark.parametrize("spec", [ENCRYPT, REVEAL])
def test_a_missing_version_or_short_key_is_refused(spec: dict[str, Any], transform: Transform, ring: Ring) -> None:
    with pytest.raises(KeyUnavailable, match="`customer-id` has no version 3"):
        transform({**spec, "version": 3}, pa.array(["0123456789"]))
    with pytest.raises(KeyUnavailable, match="version 1, has less than 32 bytes"):
        transform(spec, pa.array(["0123456789"]), keys=ring(customer_id=bytes(31)))


@pytest.mark.parametrize("spec", [ENCRYPT, REVEAL])
def test_values_of_small_domains_and_with_foreign_characters_are_refused_and_counted(
    spec: dict[str, Any], transform: Transform
) -> None:
    values = pa.array(["12345", "", None, "123456", "1234567x", "1234-567"])
    message = (
        r"4 values refused: 2 with characters outside of `alphabet` and `keep`; widen one of them; "
        r"2 with fewer than 6 characters of the alphabet, a domain below 1,000,000; use `deterministic-encryption`$"
    )
    with pytest.raises(ValueRefused, match=message):
        transform(spec, values)
    with pytest.raises(ValueRefused, match=r"1 value refused: 1 with fewer than 4 characters of the alphabet"):
        transform({**spec, "alphabet": "alphanumeric"}, pa.array(["abc"]))


@pytest.mark.parametrize("spec", [ENCRYPT, REVEAL])
def test_integers_of_more_digits_are_refused_and_counted(spec: dict[str, Any], transform: Transform) -> None:
    values = pa.array([999_999, 1_000_000, -1_000_000, -1_000_001, None])
    with pytest.raises(ValueRefused, match="2 values refused: more than 6 digits; choose another `width`"):
        transform({**spec, "width": 6}, values)


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({}, pa.int16(), "takes integers of which all numbers of 6 digits fit the type, not int16"),
        ({"width": 10}, pa.uint32(), "uint32 holds all numbers of 9 digits, not 10"),
        ({"alphabet": "hex"}, pa.int64(), "integers take the alphabet `digits` alone"),
        ({}, pa.float64(), "takes text and integers, not double"),
    ],
)
def test_what_can_never_be_encrypted_is_refused_before_the_run(
    more: dict[str, Any], kind: pa.DataType, message: str
) -> None:
    for spec in (ENCRYPT, REVEAL):
        technique = create({**spec, **more})
        assert isinstance(technique, Transformation)
        with pytest.raises(SchemaMismatch, match=message):
            technique.output_type(kind)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("digit", "; did you mean `digits`?"),
        ("low", "; did you mean `lower`?"),
        ("HEX", "; did you mean `hex`?"),
        ("upper_hex", "; did you mean `upper-hex`?"),
        ("alphanumerc", "; did you mean `alphanumeric`?"),
        ("base32", ""),
        ("TGCA", ""),
    ],
)
def test_what_can_be_a_misspelt_name_is_no_alphabet(word: str, meant: str) -> None:
    message = rf"no alphabet `{word}`{re.escape(meant)} \(known: digits, .*write them in ascending order"
    for spec in (ENCRYPT, REVEAL):
        with pytest.raises(PolicyError, match=message):
            create({**spec, "alphabet": word})


@pytest.mark.parametrize("characters", ["ACGT", "abcdef", "0123456789ABCDEFabc", "zyx0123456789-_.ABCDEFGHIJ", "日é"])
def test_what_can_be_no_name_is_an_alphabet_of_those_characters(characters: str, transform: Transform) -> None:
    value = characters * 20
    [encrypted] = transform({**ENCRYPT, "alphabet": characters}, pa.array([value])).to_pylist()
    assert encrypted != value
    assert set(encrypted) <= set(characters)


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_a_column_that_repeats_is_encrypted_by_its_distinct_values(kind: pa.DataType, transform: Transform) -> None:
    few = pa.array([None, *range(123_456, 123_476)]).cast(kind)
    column = pa.concat_arrays([few] * 200)[5:]
    encrypted = transform(ENCRYPT, column)
    assert encrypted.equals(pa.concat_arrays([transform(ENCRYPT, few)] * 200)[5:])
    assert transform(REVEAL, encrypted).equals(column)


def test_refused_values_of_a_column_that_repeats_are_counted_by_row(transform: Transform) -> None:
    with pytest.raises(ValueRefused, match=r"4000 values refused: 2000 with characters .*; 2000 with fewer"):
        transform(ENCRYPT, pa.array(["123456", "1234567x", "12345"] * 2000))


def test_named_alphabets_are_distinct_characters() -> None:
    assert {name: len(set(characters)) for name, characters in ALPHABETS.items()} == {
        "digits": 10,
        "hex": 16,
        "upper-hex": 16,
        "lower": 26,
        "upper": 26,
        "letters": 52,
        "lower-alphanumeric": 36,
        "upper-alphanumeric": 36,
        "alphanumeric": 62,
    }
