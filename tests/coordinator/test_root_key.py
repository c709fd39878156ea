from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from cape_airflow.coordinator.root_key import RootKey, load_root_key
from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import to_base64url

TEXT = to_base64url(bytes(range(32)))
KEY = RootKey(TEXT)


@given(st.binary(max_size=100), st.lists(st.text(), min_size=1, max_size=4))
def test_a_wrapped_secret_comes_back_at_its_place(material: bytes, place: list[str]) -> None:
    assert KEY.unwrap(KEY.wrap(Secret(material), *place), *place).reveal() == material


@pytest.mark.parametrize("place", [("key", "a", "bc"), ("key", "ab"), ("key", "ab", "d"), ("keya", "b", "c")])
def test_a_wrapped_secret_does_not_come_back_at_another_place(place: tuple[str, ...]) -> None:
    wrapped = KEY.wrap(Secret(b"material"), "key", "ab", "c")
    with pytest.raises(KeyUnavailable, match="cannot be unwrapped"):
        KEY.unwrap(wrapped, *place)


def test_S12_every_flipped_bit_is_refused() -> None:
    wrapped = KEY.wrap(Secret(b"material"), "key")
    for bit in range(len(wrapped) * 8):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeyUnavailable):
            KEY.unwrap(bytes(changed), "key")


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_what_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(KeyUnavailable):
        KEY.unwrap(KEY.wrap(Secret(b"material"), "key")[:length], "key")


def test_S8_equal_secrets_are_wrapped_differently() -> None:
    assert len({KEY.wrap(Secret(b"material"), "key") for _ in range(1000)}) == 1000


def test_another_root_key_unwraps_nothing() -> None:
    with pytest.raises(KeyUnavailable):
        RootKey(to_base64url(bytes(32))).unwrap(KEY.wrap(Secret(b"x"), "key"), "key")


@pytest.mark.parametrize("text", ["", "AAAA", to_base64url(bytes(31)), to_base64url(bytes(33)), "not base64!"])
def test_what_is_no_root_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyUnavailable, match="root key") as refused:
        RootKey(text)
    assert not text or text not in str(refused.value)


def test_the_first_start_makes_a_private_file_and_the_next_one_reads_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    wrapped = load_root_key(settings, fresh=True).wrap(Secret(b"x"), "key")
    file = tmp_path / "home" / "root.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_root_key(settings, fresh=False).unwrap(wrapped, "key").reveal() == b"x"
    assert load_root_key(settings, fresh=True).unwrap(wrapped, "key").reveal() == b"x"


def test_a_missing_file_is_not_made_anew_where_something_is_wrapped_by_it(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="put it back"):
        load_root_key(Settings(home=tmp_path), fresh=False)
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "given.key"
    file.write_text(TEXT)
    file.chmod(mode)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        load_root_key(Settings(root_key_file=file), fresh=True)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        load_root_key(Settings(root_key_file=tmp_path / "none"), fresh=True)


def test_with_postgresql_the_root_key_must_be_given(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, db_url=SecretStr("postgresql://cape@localhost/cape"))
    with pytest.raises(KeyUnavailable, match="CAPE_ROOT_KEY"):
        load_root_key(settings, fresh=True)
    assert list(tmp_path.iterdir()) == []
