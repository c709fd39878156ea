"""Credentials in URLs, wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.urls import holds_credentials, sounds_secret


@pytest.mark.parametrize(
    "url",
    [
        "s3://user:secret@bucket/x",
        "s3://user@bucket/x",
        "https://:secret@host/x",
        "simplecache::s3://user:secret@bucket/x",
        "zip://x.csv::s3://user:secret@bucket/x.zip",
        "s3://AKIA:secret/with/slashes@bucket/x",
        "s3://AKIA:123/secret@bucket/x",
        "s3://AKIA:secret?x@bucket/y",
        "s3://AKIA:secret::x@bucket/y",
        "s3://AKIA:secret::x/y@bucket/z",
        "s3://AKIA:secret#x@bucket/y",
        "s3://AKIA:sec\nret@bucket/y",
        "https://host/x.csv?X-Amz-Credential=AKIA&X-Amz-Signature=secret",
        "https://host/x.csv?v=1&X-Amz-Credential=secret",
        "https://host/x.csv?sv=2024&sig=secret",
        "https://host/x.csv?AWSAccessKeyId=secret",
        "https://host/x.csv?access_token=secret",
        "https://host/x.csv?Access_Token=secret",
        "https://host/x.csv?x=1&Password=secret",
        "https://host/x.csv#password=secret",
        "https://host/x.csv?%73ig=secret",
        "simplecache::https://host/x.csv?sig=secret",
    ],
)
def test_a_user_a_password_or_a_signature_is_found(url: str) -> None:
    assert holds_credentials(url)


@pytest.mark.parametrize(
    "url",
    [
        "/data/me@home.csv",
        "a:b@c",
        "s3://bucket/me@home.csv",
        "simplecache::s3://bucket/x@2.csv",
        "zip://x.csv::s3://bucket/me@home.zip",
        "memory://x",
        "data/*.csv",
        "s3://bucket/part-?/key=1/*.csv",
        "https://host:8443/x.csv?design=1&version=2",
        "https://[2001:db8::1]:8443/x.csv",
        "s3://[not-a-host/x",
        "{{ params.source }}",
        "",
    ],
)
def test_paths_and_urls_without_any_pass(url: str) -> None:
    assert not holds_credentials(url)


TEXT = st.text(alphabet="abk0/?#:[]\\%=&;. \n", max_size=12)


@given(chain=st.sampled_from(["", "simplecache::", "zip://a.csv::"]), user=TEXT, password=TEXT, rest=TEXT)
def test_a_user_with_a_password_is_found_whatever_they_are_made_of(
    chain: str, user: str, password: str, rest: str
) -> None:
    name = "".join(character for character in user if character not in "/?#:\\")
    assert holds_credentials(f"{chain}s3://{name}:{password.lstrip(':')}@bucket/{rest}")


@pytest.mark.parametrize("name", ["key", "API_KEY", "sas_token", "sig", "x-sig", "Password", "client_secret"])
def test_names_of_secrets_are_known(name: str) -> None:
    assert sounds_secret(name)


@pytest.mark.parametrize("name", ["design", "signal", "region", "endpoint_url", ""])
def test_other_names_are_none(name: str) -> None:
    assert not sounds_secret(name)
