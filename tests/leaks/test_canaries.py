"""The search finds what it is to find: a search that cannot is worth nothing."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaks.canaries import ENCODINGS, Canary, Search

VALUE = Canary.value("a value", 'Zoë "O\'Canary" 47/11+x@example.com')
MATERIAL = bytes(range(100, 132))
KEY = Canary.material("a key", MATERIAL)
TEXT = VALUE.forms[0].decode()

WRITTEN = {
    "plain": TEXT.encode(),
    "base64": b"Basic " + b64encode(b"user:" + TEXT.encode()),
    "base64url": urlsafe_b64encode(b"xx" + TEXT.encode() + b"yyy"),
    "hex": TEXT.encode().hex().encode(),
    "URL-encoded": urlencode({"q": TEXT}).encode(),
    "escaped": json.dumps({"value": TEXT}).encode(),
    "UTF-16": f"<{TEXT}>".encode("utf-16-be"),
}


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_a_value_is_found_in_every_encoding(encoding: str) -> None:
    assert encoding in VALUE.found_in(b"before " + WRITTEN[encoding] + b" after")


@pytest.mark.parametrize(
    "written",
    [
        MATERIAL,
        MATERIAL.hex().upper().encode(),
        b64encode(MATERIAL),
        urlsafe_b64encode(b"?" + MATERIAL),
        repr(MATERIAL).encode(),
        quote(MATERIAL).encode(),
        urlsafe_b64encode(MATERIAL).decode().rstrip("=").encode("utf-16-le"),
        b64encode(urlsafe_b64encode(MATERIAL).rstrip(b"=")),
    ],
)
def test_key_material_is_found_in_every_encoding(written: bytes) -> None:
    assert KEY.found_in(b"<" + written + b">")


@given(st.binary(max_size=7), st.binary(min_size=12, max_size=40), st.binary(max_size=7))
def test_base64_is_found_wherever_the_secret_begins(before: bytes, secret: bytes, after: bytes) -> None:
    canary = Canary("any", (secret,))
    assert "base64" in canary.found_in(b64encode(before + secret + after))
    assert "base64url" in canary.found_in(urlsafe_b64encode(before + secret + after))


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"nothing of it here")
    search = Search([VALUE, KEY])
    search.look_at_files("files", tmp_path.iterdir())
    assert (search.hits, search.places["files"] > 0) == ([], True)


def test_a_canary_in_any_column_of_any_table_of_a_database_is_found(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "a.db")
    database.execute("CREATE TABLE texts (id INTEGER, said TEXT)")
    database.execute("CREATE TABLE blobs (kept BLOB)")
    database.execute("INSERT INTO texts VALUES (1, ?)", (f"it was {TEXT}",))
    database.execute("INSERT INTO blobs VALUES (?)", (b"\x00" + MATERIAL,))
    database.commit()
    database.close()
    search = Search([VALUE, KEY])
    assert search.look_at_database("database", f"sqlite:///{tmp_path}/a.db") == {"texts", "blobs"}
    assert {(name, place) for name, _, place in search.hits} == {
        ("a value", "database: texts"),
        ("a key", "database: blobs"),
    }


def test_a_canary_in_a_file_or_its_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(WRITTEN["UTF-16"])
    (tmp_path / MATERIAL.hex()).write_bytes(b"")
    search = Search([VALUE, KEY])
    search.look_at_files("files", tmp_path.iterdir())
    assert {name for name, *_ in search.hits} == {"a value", "a key"}
