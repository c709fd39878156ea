from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from cape_airflow.errors import CoordinatorError
from cape_airflow.hooks.address import client_options

TOKEN = "01HZXJQ3V7,AbCdEfGh0123456789"


def _connection(extra: Any = None, **fields: Any) -> Connection:
    given: dict[str, Any] = {"host": "cape.example.com", "password": TOKEN, **fields}
    return Connection(conn_id="cape_test", conn_type="cape", extra=json.dumps(extra or {}), **given)


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (_connection(), "https://cape.example.com"),
        (_connection(port=8443), "https://cape.example.com:8443"),
        (
            _connection({"scheme": "http", "path_prefix": "/cape/"}, host="localhost", port=8080),
            "http://localhost:8080/cape",
        ),
        (_connection({"path_prefix": "cape"}), "https://cape.example.com/cape"),
        (_connection(host="::1", port=80), "https://[::1]:80"),
        (_connection(host="[::1]"), "https://[::1]"),
    ],
)
def test_scheme_host_port_and_prefix_make_the_url(connection: Connection, url: str) -> None:
    assert client_options(connection)["base_url"] == url


def test_the_token_is_the_password() -> None:
    assert client_options(_connection())["token"] == TOKEN


def test_fields_that_were_left_empty_in_the_form_have_their_defaults() -> None:
    empty = {"path_prefix": None, "ca_bundle": None, "signing_keys": "", "deadline": None, "allow_http": None}
    options = client_options(_connection(empty))
    assert (options["verify"], options["signing_keys"], options["deadline"]) == (True, None, 30.0)


def test_a_connection_written_as_a_uri_has_its_extras_as_text() -> None:
    uri = "cape://:token@localhost:8080/?scheme=http&path_prefix=%2Fcape&deadline=5&allow_http=true"
    options = client_options(Connection.from_uri(uri, conn_id="cape_test"))
    assert options["base_url"] == "http://localhost:8080/cape"
    assert (options["deadline"], options["allow_http"]) == (5.0, True)


def test_several_signing_keys_are_separated_by_commas() -> None:
    assert client_options(_connection({"signing_keys": "abc, def"}))["signing_keys"] == ["abc", "def"]


def test_a_ca_bundle_takes_the_place_of_the_systems_authorities() -> None:
    assert client_options(_connection({"ca_bundle": "/etc/ssl/ours.pem"}))["verify"] == "/etc/ssl/ours.pem"


@pytest.mark.parametrize("host", ["", "https://cape.example.com", "user:pass@cape.example.com", "cape.example.com/x"])
def test_a_host_that_is_not_a_name_is_refused_without_showing_it(host: str) -> None:
    with pytest.raises(CoordinatorError, match="host is a name") as refusal:
        client_options(_connection(host=host))
    assert not host or host not in str(refusal.value)


def test_a_connection_without_a_token_is_refused() -> None:
    with pytest.raises(CoordinatorError, match="connection `cape_test` has no API token"):
        client_options(_connection(password=None))


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"schema": "http"}, "schema"),
        ({"deadline": "hidden-value"}, "deadline"),
        ({"scheme": "hidden-value"}, "scheme"),
    ],
)
def test_an_extra_that_is_unknown_or_wrong_is_named_and_its_value_is_not_shown(
    extra: dict[str, str], field: str
) -> None:
    with pytest.raises(CoordinatorError, match=f"extra `{field}` is wrong") as refusal:
        client_options(_connection(extra))
    assert "hidden-value" not in str(refusal.value)
