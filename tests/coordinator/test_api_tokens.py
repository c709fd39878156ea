from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.api_tokens import ApiToken
from cape_airflow.keys.encoding import from_base64url, to_base64url

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ID = "01M7YK8RV1ZMVF45BT8EQDY2VQ"


def test_a_token_has_capes_format() -> None:
    text = ApiToken.generate(NOW).write()
    token_id, comma, secret = text.partition(",")
    payload = from_base64url(secret)
    assert (len(token_id), comma, len(payload), payload[0], len(secret)) == (26, ",", 25, 1, 34)


def test_a_token_is_read_as_it_was_written() -> None:
    token = ApiToken.generate(NOW)
    assert ApiToken.parse(token.write()).matches(token.digest())
    assert ApiToken.parse(token.write()).id == token.id


def test_ids_in_lower_case_base32_as_old_coordinators_made_them_are_read() -> None:
    assert ApiToken.parse("2015hzyxqjm4gzmvzhr7ehx2ha," + to_base64url(b"\x01" + b"s" * 24))


def test_tokens_are_all_different_and_match_only_themselves() -> None:
    tokens = [ApiToken.generate(NOW) for _ in range(50)]
    assert sum(one.matches(other.digest()) for one in tokens for other in tokens) == 50
    assert len({token.id for token in tokens}) == 50


def spellings() -> list[str]:
    good = to_base64url(b"\x01" + bytes(24))
    wrong_lengths = [to_base64url(b"\x01" + bytes(23)), to_base64url(b"\x01" + bytes(25))]
    version_0 = to_base64url(bytes(25))
    same_bytes_otherwise = good[:-1] + "B"
    secrets = [*wrong_lengths, version_0, same_bytes_otherwise, good + "==", good + ",", good + "\n", ""]
    ids = [ID[:-1], ID + "0", " " + ID[1:], ID[:-1] + "é", ""]
    return [f"{ID},{secret}" for secret in secrets] + [f"{one},{good}" for one in ids] + ["", ",", ID]


@pytest.mark.parametrize("text", spellings())
def test_what_is_not_in_the_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not "):
        ApiToken.parse(text)


@given(st.text(max_size=80))
def test_any_text_is_a_token_or_a_value_error_that_does_not_show_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not (base64url|an API token)$"):
        ApiToken.parse(text)


def test_S2_a_token_does_not_show_its_secret_and_cannot_be_pickled() -> None:
    token = ApiToken.generate(NOW)
    secret = token.write().partition(",")[2]
    assert secret not in f"{token!r} {token}"
    for leak in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(token)
