from __future__ import annotations

import json

import fsspec
import pytest

from cape_airflow.errors import CapeError
from cape_airflow.operators.storage import filesystem_of, refuse_credentials


@pytest.mark.parametrize(
    "url", ["s3://user:secret@bucket/x", "https://host/x.csv?sig=secret", "simplecache::s3://:secret@bucket/x"]
)
def test_a_user_or_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(CapeError, match="no credentials") as refusal:
        refuse_credentials("/data/in.csv", url)
    assert "secret" not in str(refusal.value)


def test_paths_and_urls_without_credentials_pass() -> None:
    refuse_credentials("/data/me@home.csv", "s3://bucket/me@home.csv", "{{ params.source }}")


def test_without_a_connection_the_url_alone_says_where_it_is() -> None:
    assert filesystem_of("s3://bucket/x", None) is None


def test_a_connection_gives_the_storage_of_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DISK", json.dumps({"conn_type": "fs"}))
    assert isinstance(filesystem_of("file:///data/x", "disk"), fsspec.get_filesystem_class("file"))
