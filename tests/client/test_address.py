from __future__ import annotations

import pytest

from cape_airflow.client import AsyncCoordinatorClient, CoordinatorClient
from cape_airflow.client.address import parse_address, path_of
from cape_airflow.errors import CoordinatorError


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://cape.example", "https://cape.example"),
        ("https://cape.example/", "https://cape.example"),
        (" https://cape.example:8443/cape/ ", "https://cape.example:8443/cape"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.2:8080/cape", "http://127.0.0.2:8080/cape"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_loses_its_trailing_slash_and_keeps_its_path(given, url):
    assert parse_address(given).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cape.example",
        "ftp://cape.example",
        "file:///etc/passwd",
        "https://",
        "https://user:canary@cape.example",
        "https://cape.example?token=canary",
        "https://cape.example#canary",
        "https://cape.example:99999999",
        "https://[::1",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url):
    with pytest.raises(CoordinatorError) as caught:
        parse_address(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["cape.example", "10.0.0.1", "169.254.169.254", "localhost.example", "127.0.0.1.example"]
)
def test_plain_http_to_another_machine_must_be_allowed(host):
    with pytest.raises(CoordinatorError, match="plain http"):
        parse_address(f"http://{host}")
    assert parse_address(f"http://{host}", allow_http=True).url == f"http://{host}"


def test_segments_of_a_path_are_quoted():
    assert path_of("projects", "a/b?c#d e%2f", "x") == "/v1/projects/a%2Fb%3Fc%23d%20e%252f/x"


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_leads_elsewhere_is_refused(segment):
    with pytest.raises(CoordinatorError):
        path_of("projects", segment)


@pytest.mark.parametrize("client", [CoordinatorClient, AsyncCoordinatorClient])
@pytest.mark.parametrize("token", ["", "canary\n", "canary ä", "can ary"])
def test_a_token_that_does_not_fit_into_a_header_is_refused_without_showing_it(client, token):
    with pytest.raises(CoordinatorError) as caught:
        client("https://cape.example", token)
    assert "canary" not in str(caught.value)
