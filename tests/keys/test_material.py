from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Key, KeyRing, Secret, derive
from cape_airflow.keys.written import WrittenKey

CANARY = b"canary-canary-canary"


class Provider:
    """Knows these keys, and counts how often it is asked."""

    def __init__(self, *keys: Key) -> None:
        self.keys = {key.name: key for key in keys}
        self.asked: list[str] = []

    def get(self, name: str) -> Key | None:
        self.asked.append(name)
        return self.keys.get(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self.keys)


def _key(name: str, letter: bytes = b"a") -> Key:
    return Key(name, {1: Secret(letter * 16)})


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "%r".__mod__, lambda secret: f"{secret!r}", lambda s: repr([s])]
)
def test_a_secret_shows_itself_only_when_it_is_told_to(show):
    assert "canary" not in show(Secret(CANARY))
    assert Secret(CANARY).reveal() == CANARY


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, bytes, iter])
@pytest.mark.parametrize("holder", [Secret(CANARY), KeyRing(Provider(Key("id", {1: Secret(CANARY)})))])
def test_a_secret_and_a_key_ring_cannot_be_taken_along(take, holder):
    with pytest.raises(TypeError) as caught:
        take(holder)
    assert "canary" not in str(caught.value)


def test_a_traceback_with_locals_shows_no_key():
    def fail(key: Key, secret: Secret) -> None:
        raise ValueError(key.name)

    key = Key("id", {1: Secret(CANARY)})
    with pytest.raises(ValueError, match="id") as caught:
        fail(key, key.version(1))
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert "canary" not in "".join(shown)


def test_secrets_are_equal_by_their_bytes_and_to_nothing_else():
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret(CANARY[:-1])
    assert Secret(CANARY) != CANARY


def test_a_version_that_is_not_there_is_unavailable():
    with pytest.raises(KeyUnavailable, match="key `id` has no version 2"):
        _key("id").version(2)


def test_a_key_without_its_primary_version_cannot_be_made():
    with pytest.raises(KeyUnavailable, match="has no version 3"):
        Key("id", {1: Secret(CANARY)}, primary=3)


def test_the_first_provider_that_knows_a_key_gives_it_and_is_asked_once():
    first, second = Provider(_key("a", b"1")), Provider(_key("a", b"2"), _key("b", b"2"))
    ring = KeyRing(first, second)
    assert [ring.get(name).version(1).reveal() for name in ("a", "b", "a")] == [b"1" * 16, b"2" * 16, b"1" * 16]
    assert (first.asked, second.asked) == (["a", "b"], ["b"])


def test_a_key_that_nobody_knows_is_unavailable_and_the_nearest_is_named():
    with pytest.raises(KeyUnavailable, match=r"no key `custmer`; did you mean `customer`\? Create it"):
        KeyRing(Provider(_key("customer"))).get("custmer")
    with pytest.raises(KeyUnavailable, match=r"no key `x`\. Create it"):
        KeyRing().get("x")


def test_derived_keys_are_hkdf_with_purpose_and_domain_as_its_info():
    extract = HMAC(b"\x00" * 32, SHA256())
    extract.update(CANARY)
    expand = HKDFExpand(SHA256(), 42, b"cape-airflow/1\x00keyed-hash/id\x00analytics")
    derived = derive(Secret(CANARY), purpose="keyed-hash/id", domain="analytics", length=42)
    assert derived.reveal() == expand.derive(extract.finalize())


def test_purposes_and_domains_never_share_a_key():
    names = [("a", "b"), ("a", "c"), ("b", "b"), ("a", ""), ("", "a"), ("ab", ""), ("", "ab"), ("a", "b\x00")]
    derived = {derive(Secret(CANARY), purpose=one, domain=two, length=32).reveal() for one, two in names}
    assert len(derived) == len(names)


def _rotated(**more) -> Key:
    """A key of four versions: 1 was destroyed, 2 and 3 are retired, and of these 2 is withheld."""
    versions = {number: Secret(bytes([number]) * 32) for number in (3, 4)}
    return Key("id", versions, 4, retired=frozenset({2, 3}), destroyed=frozenset({1}), **more)


def test_a_destroyed_version_is_said_to_be_destroyed_by_the_name_of_its_key():
    with pytest.raises(KeyUnavailable, match=r"version 1 of key `id` was destroyed"):
        _rotated().version(1)


def test_a_retired_version_makes_nothing_new_and_reveals_where_it_was_handed_over():
    assert _rotated().version(3).reveal() == b"\x03" * 32
    for number in (2, 3):
        with pytest.raises(KeyUnavailable, match=rf"version {number} of key `id` is retired.*name version 4"):
            _rotated().require_enabled(number)
    with pytest.raises(KeyUnavailable, match="is retired"):
        _rotated().version(2)
    _rotated().require_enabled(4)


def test_the_primary_version_is_never_a_retired_one():
    with pytest.raises(KeyUnavailable, match="is retired"):
        Key("id", {1: Secret(CANARY)}, 1, retired=frozenset({1}))


def test_a_key_that_may_not_reveal_says_who_can_change_that():
    _rotated().require_reveal()
    with pytest.raises(KeyUnavailable, match=r"`id` may be applied here.*cape keys grant-reveal"):
        _rotated(may_reveal=False).require_reveal()


@pytest.mark.parametrize("may_reveal", [True, False])
def test_a_key_is_the_same_after_it_was_written_down(may_reveal):
    key = _rotated(may_reveal=may_reveal)
    written = WrittenKey.of(key).model_dump_json()
    assert WrittenKey.model_validate_json(written).key("id") == key
