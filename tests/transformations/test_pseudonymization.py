from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import KeyUnavailable, PolicyError, ValueRefused
from cape_airflow.keys import Key, KeyRing, Secret, derive
from cape_airflow.policy.model import technique_document
from cape_airflow.transformations import create

Transform = Callable[..., pa.Array]
Ring = Callable[..., KeyRing]

KEY = {"ref": "customer-id"}
HASH = {"type": "keyed-hash", "key": KEY}
ENCRYPT = {"type": "deterministic-encryption", "key": KEY}
REVEAL = {"type": "reveal", "key": KEY}


class Versions:
    """One key with several versions."""

    def __init__(self, primary: int, *numbers: int) -> None:
        versions = {number: Secret(bytes([number]) * 32) for number in numbers}
        self._key = Key("customer-id", versions, primary)

    def get(self, name: str) -> Key | None:
        return self._key if name == "customer-id" else None

    def names(self) -> tuple[str, ...]:
        return ("customer-id",)


@given(values=st.lists(st.text(), min_size=1), domain=st.text(max_size=10))
def test_a_token_is_the_hmac_under_a_key_derived_for_technique_key_and_domain(
    values: list[str], domain: str, transform: Transform
) -> None:
    secret = derive(Secret(bytes(range(64))), purpose="keyed-hash/customer-id", domain=domain, length=32).reveal()
    expected = ["t1_" + hmac.digest(secret, value.encode(), "sha256").hex() for value in values]
    assert transform(HASH, pa.array(values), domain=domain).to_pylist() == expected


EQUALS = [
    (pa.array([5], pa.int8()), pa.array(["5"])),
    (pa.array([5], pa.uint64()), pa.array(["5"], pa.large_string())),
    (pa.array(["5"], pa.string_view()), pa.array([Decimal("5.00")], pa.decimal128(9, 2))),
    (pa.array([Decimal("-0.50")], pa.decimal128(9, 2)), pa.array(["-0.5"])),
    (pa.array([Decimal("0.0000000012")], pa.decimal256(40, 10)), pa.array(["0.0000000012"])),
    (pa.array([Decimal("1200")], pa.decimal128(4, -2)), pa.array([1200])),
    (pa.array([Decimal("9" * 60 + ".5")], pa.decimal256(61, 1)), pa.array(["9" * 60 + ".5"])),
    (pa.array([date(2020, 2, 3)], pa.date32()), pa.array([date(2020, 2, 3)], pa.date64())),
    (pa.array([date(2020, 2, 3)]), pa.array(["2020-02-03"])),
    (pa.array([True]), pa.array(["true"])),
    (pa.array(["x"]).dictionary_encode(), pa.array(["x"])),
]


@pytest.mark.parametrize(("one", "other"), EQUALS)
def test_equal_values_of_different_types_join(one: pa.Array, other: pa.Array, transform: Transform) -> None:
    for spec in (HASH, ENCRYPT):
        assert transform(spec, one).to_pylist() == transform(spec, other).to_pylist()


def test_tokens_join_inside_a_domain_and_a_key_and_never_across(transform: Transform, ring: Ring) -> None:
    array = pa.array([str(number) for number in range(2000)])
    keys = ring(customer_id=bytes(64), other=bytes(64))
    for spec in (HASH, ENCRYPT):
        tables = [
            transform(spec, array, keys=keys, domain="a").to_pylist(),
            transform(spec, array, keys=keys, domain="b").to_pylist(),
            transform({**spec, "key": {"ref": "other"}}, array, keys=keys, domain="a").to_pylist(),
            transform(spec, array, keys=ring(customer_id=bytes(63) + b"1"), domain="a").to_pylist(),
        ]
        assert len({token for table in tables for token in table}) == 4 * len(array)
        assert tables[0] == transform(spec, array, keys=keys, domain="a").to_pylist()


@pytest.mark.parametrize(("encoding", "safe", "least"), [("hex", 32, 8), ("base32", 26, 7), ("raw", 16, 4)], ids=str)
class TestLength:
    def test_a_shorter_token_is_the_beginning_of_the_long_one(
        self, encoding: str, safe: int, least: int, transform: Transform
    ) -> None:
        spec = {**HASH, "encoding": encoding}
        [whole] = transform(spec, pa.array(["alice"])).to_pylist()
        start = 0 if encoding == "raw" else 3
        assert transform({**spec, "length": safe}, pa.array(["alice"])).to_pylist() == [whole[: start + safe]]
        short = transform({**spec, "length": least, "lossy": True}, pa.array(["alice"]))
        assert short.to_pylist() == [whole[: start + least]]

    def test_fewer_than_128_bits_are_lossy_and_fewer_than_32_refused(
        self, encoding: str, safe: int, least: int
    ) -> None:
        spec = {**HASH, "encoding": encoding}
        assert not list(create({**spec, "length": safe}).notes())
        assert list(create({**spec, "length": safe - 1, "lossy": True}).notes())
        with pytest.raises(PolicyError, match=f"`length` is at least {safe}, or say `lossy: true`"):
            create({**spec, "length": safe - 1})
        for length in (least - 1, 65):
            with pytest.raises(PolicyError, match=f"`length`: should be greater than or equal to {least} and at most"):
                create({**spec, "length": length, "lossy": True})

    def test_a_whole_hash_means_the_same_whether_or_not_the_policy_says_so(
        self, encoding: str, safe: int, least: int
    ) -> None:
        spec = {**HASH, "encoding": encoding}
        whole = {"hex": 64, "base32": 52, "raw": 32}[encoding]
        assert technique_document(create({**spec, "length": whole})) == technique_document(create(spec))


def test_what_says_nothing_of_the_encoding_is_digested_as_before_there_was_a_choice() -> None:
    plain = {"type": "keyed-hash", "key": KEY}
    assert technique_document(create({**plain, "encoding": "hex", "length": 64, "lossy": False})) == plain
    assert technique_document(create({**plain, "length": 40})) == {**plain, "length": 40}


def test_tokens_in_base32_or_raw_are_the_hash_that_the_digits_are(transform: Transform) -> None:
    values = pa.array(["alice", None, "bob"], pa.large_string())
    digits, base32, raw = (
        transform({**HASH, "encoding": encoding}, values).to_pylist() for encoding in ("hex", "base32", "raw")
    )
    for place in (0, 2):
        assert digits[place] == "t1_" + raw[place].hex()
        assert base32[place] == "t1_" + b32encode(raw[place]).decode().lower().rstrip("=")
    assert base32[1] is raw[1] is None


def test_raw_tokens_are_binary_also_inside_dictionaries_and_where_values_repeat(transform: Transform) -> None:
    spec = {**HASH, "encoding": "raw"}
    for kind, expected in (
        (pa.string(), pa.binary()),
        (pa.large_string(), pa.large_binary()),
        (pa.int64(), pa.binary()),
    ):
        array = pa.array(range(5)).take(pa.array([0, 1, 2, 3, 4, None] * 2_000)).cast(kind)
        plain, encoded = transform(spec, array), transform(spec, array.dictionary_encode())
        assert (plain.type, encoded.type) == (expected, pa.dictionary(pa.int32(), expected))
        assert plain.to_pylist() == encoded.to_pylist()
        assert len(set(plain.to_pylist())) == 6


def test_an_encoding_that_is_none_is_refused() -> None:
    with pytest.raises(PolicyError, match="`encoding`: Input should be 'hex', 'base32' or 'raw'"):
        create({**HASH, "encoding": "base64", "length": 70})


def test_a_lossy_token_says_how_often_it_is_shared() -> None:
    for encoding, length in (("hex", 8), ("raw", 4)):
        [note] = create({**HASH, "encoding": encoding, "length": length, "lossy": True}).notes()
        assert "about 1.2e+02 pairs" in note


def test_the_primary_version_makes_the_token_and_stands_in_it(transform: Transform) -> None:
    for spec, letter in ((HASH, "t"), (ENCRYPT, "e")):
        tokens = {
            primary: transform(spec, pa.array(["alice"]), keys=KeyRing(Versions(primary, 1, 12)))[0].as_py()
            for primary in (1, 12)
        }
        assert tokens[1].startswith(f"{letter}1_")
        assert tokens[12].startswith(f"{letter}12_")
        assert tokens[1].partition("_")[2] != tokens[12].partition("_")[2]


@pytest.mark.parametrize("spec", [HASH, ENCRYPT, REVEAL])
def test_a_short_or_missing_key_is_refused(spec: dict[str, Any], transform: Transform, ring: Ring) -> None:
    with pytest.raises(KeyUnavailable, match="`customer-id`, version 1, has less than 32 bytes"):
        transform(spec, pa.array(["a"]), keys=ring(customer_id=bytes(31)))
    with pytest.raises(KeyUnavailable, match="no key `customer-id`"):
        transform(spec, pa.array(["a"]), keys=ring())


@given(values=st.lists(st.one_of(st.none(), st.text())), domain=st.text(max_size=5))
def test_reveal_gives_back_what_was_encrypted(values: list[str | None], domain: str, transform: Transform) -> None:
    plain = pa.array(values, pa.string())
    tokens = transform(ENCRYPT, plain, domain=domain)
    assert transform(REVEAL, tokens, domain=domain).equals(plain)


@pytest.mark.parametrize(
    ("to", "array"),
    [
        ("int64", pa.array([1, -(2**63), None])),
        ("uint8", pa.array([0, 255], pa.uint8())),
        ("date32", pa.array([date(2020, 2, 29), date(1, 1, 1)])),
        ("bool", pa.array([True, False, None])),
        ("decimal128(12, 2)", pa.array([Decimal("1.50"), Decimal("-1000.00")], pa.decimal128(12, 2))),
        ("decimal256(60,3)", pa.array([Decimal("0.001")], pa.decimal256(60, 3))),
        ("large_string", pa.array(["x", None], pa.large_string())),
    ],
)
def test_reveal_gives_back_other_types(to: str, array: pa.Array, transform: Transform) -> None:
    assert transform({**REVEAL, "to": to}, transform(ENCRYPT, array)).equals(array)


def test_reveal_of_another_type_than_encrypted_is_refused(transform: Transform) -> None:
    tokens = transform(ENCRYPT, pa.array(["1", "x", "y"]))
    with pytest.raises(ValueRefused, match="2 values refused: not int64; choose another `to`"):
        transform({**REVEAL, "to": "int64"}, tokens)


def test_reveal_reads_tokens_of_every_version_that_is_left(transform: Transform) -> None:
    old = transform(ENCRYPT, pa.array(["alice", None]), keys=KeyRing(Versions(1, 1)))
    new = transform(ENCRYPT, pa.array(["bob"]), keys=KeyRing(Versions(2, 1, 2)))
    mixed = pa.concat_arrays([old, new])
    assert transform(REVEAL, mixed, keys=KeyRing(Versions(2, 1, 2))).to_pylist() == ["alice", None, "bob"]
    with pytest.raises(ValueRefused, match="1 value refused: no tokens of this key and domain"):
        transform(REVEAL, mixed, keys=KeyRing(Versions(2, 2)))


def test_a_token_of_another_version_domain_or_key_is_refused(transform: Transform, ring: Ring) -> None:
    token = transform(ENCRYPT, pa.array(["alice"]))[0].as_py()
    relabelled = token.replace("e1_", "e2_")
    same = Secret(bytes(range(64)))

    class TwiceTheSame(Versions):
        def __init__(self) -> None:
            self._key = Key("customer-id", {1: same, 2: same}, 2)

    assert transform(REVEAL, pa.array([token]), keys=KeyRing(TwiceTheSame())).to_pylist() == ["alice"]
    for wrong, binding in (
        (relabelled, {"keys": KeyRing(TwiceTheSame())}),
        (token, {"domain": "another"}),
        (token, {"keys": ring(customer_id=bytes(64))}),
    ):
        with pytest.raises(ValueRefused, match="1 value refused: no tokens of this key and domain, or changed"):
            transform(REVEAL, pa.array([wrong]), **binding)


def test_every_changed_character_of_a_token_is_noticed(transform: Transform) -> None:
    token = transform(ENCRYPT, pa.array(["alice"]))[0].as_py()
    digits = "0123456789abcdef"
    changed = [
        token[:place] + digits[(digits.index(token[place]) + 1) % 16] + token[place + 1 :]
        for place in range(3, len(token))
    ]
    with pytest.raises(ValueRefused, match=f": {len(changed)} values refused: no tokens"):
        transform(REVEAL, pa.array([*changed, token]))


def test_tokens_begin_with_a_letter_and_hold_only_harmless_characters(transform: Transform) -> None:
    values = pa.array([str(number) for number in range(500)])
    for spec in (HASH, ENCRYPT):
        assert all(
            token[0] in "te" and set(token[1:]) <= set("0123456789abcdef_")
            for token in transform(spec, values).to_pylist()
        )
