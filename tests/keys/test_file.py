from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import FileKeys, KeyRing, add_key
from cape_airflow.keys.encoding import to_base64url

MATERIAL = to_base64url(b"\xf1" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "keys.json"


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_key_file_has_keys_with_versions(path):
    content = {"id": {"primary": 2, "versions": {"1": MATERIAL, "2": to_base64url(b"2" * 64)}}}
    provider = FileKeys(_write(path, json.dumps(content)))
    key = provider.get("id")
    assert key is not None
    assert (key.primary, key.version(1).reveal(), key.version(2).reveal()) == (2, b"\xf1" * 32, b"2" * 64)
    assert provider.get("other") is None
    assert provider.names() == ("id",)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_generated_key_is_read_back_and_private(path, size):
    assert add_key(path, "id", size) == 1
    key = FileKeys(path).get("id")
    assert key is not None
    assert len(key.version(1).reveal()) == size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_key_leaves_the_first_as_it_is(path):
    add_key(path, "a")
    before = KeyRing(FileKeys(path)).get("a").version(1)
    add_key(path, "b")
    assert KeyRing(FileKeys(path)).get("a").version(1) == before
    assert FileKeys(path).names() == ("a", "b")


def test_rotating_adds_a_primary_version_and_keeps_the_old_one(path):
    add_key(path, "id")
    before = KeyRing(FileKeys(path)).get("id").version(1)
    assert add_key(path, "id", rotate=True) == 2
    key = KeyRing(FileKeys(path)).get("id")
    assert (key.primary, key.version(1)) == (2, before)
    assert key.version(2) != before


def test_a_key_is_never_overwritten(path):
    add_key(path, "id")
    before = path.read_bytes()
    with pytest.raises(KeyUnavailable, match="rotate it"):
        add_key(path, "id")
    with pytest.raises(KeyUnavailable, match="make it first"):
        add_key(path, "other", rotate=True)
    assert path.read_bytes() == before


def test_a_short_key_is_refused(path):
    with pytest.raises(KeyUnavailable, match="at least 16 bytes"):
        add_key(path, "id", 15)


def test_keys_added_at_the_same_time_are_all_kept(path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_key(path, f"key-{number}"), range(24)))
    assert len(FileKeys(path).names()) == 24


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604, 0o666])
def test_a_file_that_others_may_open_is_refused(path, mode):
    add_key(path, "id")
    path.chmod(mode)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        FileKeys(path).get("id")


def test_a_missing_file_is_told(path):
    with pytest.raises(KeyUnavailable, match="No such file"):
        FileKeys(path).get("id")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        "[]",
        '{"id": "canary"}',
        '{"id": {"primary": 1, "versions": {"1": "canary!"}}}',
        '{"id": {"primary": 1, "versions": {"1": "Y2FuYXJ5"}}}',
        '{"id": {"primary": "canary", "versions": {}}}',
        '{"id": {"primary": 0, "versions": {}}}',
        '{"id": {"versions": {"canary": "AAAAAAAAAAAAAAAAAAAAAA"}}}',
    ],
)
def test_a_file_of_another_form_is_told_without_showing_material(path, text):
    with pytest.raises(KeyUnavailable, match="is not a key file") as caught:
        FileKeys(_write(path, text)).get("id")
    assert "canary!" not in str(caught.value)
    assert "Y2FuYXJ5" not in str(caught.value)


def test_a_primary_version_that_is_not_there_is_told(path):
    provider = FileKeys(_write(path, f'{{"id": {{"primary": 2, "versions": {{"1": "{MATERIAL}"}}}}}}'))
    with pytest.raises(KeyUnavailable, match="no version 2"):
        provider.get("id")


def test_the_provider_shows_its_path_and_no_key(path):
    add_key(path, "id")
    provider = FileKeys(path)
    provider.get("id")
    assert repr(provider) == f"FileKeys({str(path)!r})"
    assert to_base64url(KeyRing(provider).get("id").version(1).reveal()) not in repr(vars(provider))
