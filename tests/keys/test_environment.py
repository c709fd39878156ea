from __future__ import annotations

import pytest

from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import EnvironmentKeys, KeyRing
from cape_airflow.keys.encoding import to_base64url

ONE, TWO = (to_base64url(letter * 32) for letter in (b"\xf1", b"\xf2"))


def test_a_variable_is_version_1_of_its_key():
    key = EnvironmentKeys({"CAPE_KEY_CUSTOMER_ID_EU": ONE}).get("customer-id.eu")
    assert key is not None
    assert (key.name, key.primary, key.version(1).reveal()) == ("customer-id.eu", 1, b"\xf1" * 32)


def test_the_first_of_several_versions_is_the_primary_one():
    key = EnvironmentKeys({"CAPE_KEY_ID": f"2:{TWO}; 1:{ONE}="}).get("id")
    assert key is not None
    assert (key.primary, key.version(1).reveal(), key.version(2).reveal()) == (2, b"\xf1" * 32, b"\xf2" * 32)


def test_a_variable_that_is_not_set_is_left_to_the_next_provider():
    assert EnvironmentKeys({}).get("id") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "canary!",
        "canary",
        "0:" + ONE,
        "x:" + ONE,
        "-1:" + ONE,
        f"1:{ONE};1:{TWO}",
        f"{ONE};",
        "1:",
        "A" * 21 + "+",
    ],
)
def test_a_variable_that_holds_no_key_is_told_without_showing_it(text):
    with pytest.raises(KeyUnavailable, match="CAPE_KEY_ID") as caught:
        EnvironmentKeys({"CAPE_KEY_ID": text}).get("id")
    assert "canary" not in str(caught.value)
    assert ONE not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_names_that_are_set_are_suggested():
    provider = EnvironmentKeys({"CAPE_KEY_CUSTOMER_ID": ONE, "CAPE_KEYS": "x", "HOME": "/"})
    assert provider.names() == ("customer-id",)
    with pytest.raises(KeyUnavailable, match="did you mean `customer-id`"):
        KeyRing(provider).get("custmer-id")


def test_the_provider_shows_names_and_no_key():
    assert ONE not in repr(EnvironmentKeys({"CAPE_KEY_ID": ONE}))


def test_the_environment_of_this_process_is_read_when_the_key_is_asked_for(monkeypatch):
    provider = EnvironmentKeys()
    monkeypatch.setenv("CAPE_KEY_LATE", ONE)
    assert provider.get("late") is not None
