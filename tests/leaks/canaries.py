"""Canaries: secrets and values that are planted, and the search for them in every spelling."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import MetaData, create_engine, select

from cape_airflow.keys.encoding import to_base64url


def _base64(encode: Callable[[bytes], bytes]) -> Callable[[bytes], set[bytes]]:
    """Return how base64 spells a secret wherever it begins: three ways, without what depends on its neighbours."""

    def spelt(secret: bytes) -> set[bytes]:
        ways = set()
        for offset in range(3):
            whole = encode(bytes(offset) + secret)
            ways.add(whole[-(-offset * 4 // 3) : (offset + len(secret)) * 8 // 6])
        return ways

    return spelt


def _text(secret: bytes) -> str:
    return secret.decode("utf-8", "surrogateescape")


def _escaped(secret: bytes) -> set[bytes]:
    text = secret.decode("utf-8", "replace")
    spelt = {repr(secret)[2:-1], ascii(text)[1:-1], json.dumps(text)[1:-1], html.escape(text), repr(text)[1:-1]}
    return {each.encode() for each in spelt if "\ufffd" not in each and "\\ufffd" not in each}


ENCODINGS: dict[str, Callable[[bytes], set[bytes]]] = {
    "plain": lambda secret: {secret},
    "base64": _base64(b64encode),
    "base64url": _base64(urlsafe_b64encode),
    "hex": lambda secret: {secret.hex().encode(), secret.hex().upper().encode()},
    "URL-encoded": lambda secret: {quote(secret, safe="").encode(), quote_plus(secret).encode()},
    "escaped": _escaped,
    "UTF-16": lambda secret: {_text(secret).encode("utf-16-le", "surrogateescape")} if _is_text(secret) else set(),
}


def _is_text(secret: bytes) -> bool:
    try:
        return bool(secret.decode("utf-8"))
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True)
class Canary:
    """A secret or a value that must be found nowhere.

    Args:
        name: what it is.
        forms: itself; of key material the bytes, and how it is written down.
    """

    name: str
    forms: tuple[bytes, ...]
    spellings: frozenset[tuple[str, bytes]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spelt = {
            (encoding, spelling)
            for encoding, spell in ENCODINGS.items()
            for form in self.forms
            for spelling in spell(form)
            if len(spelling) >= 12
        }
        object.__setattr__(self, "spellings", frozenset(spelt))

    @classmethod
    def value(cls, name: str, text: str) -> Canary:
        """Return a canary of text."""
        return cls(name, (text.encode(),))

    @classmethod
    def material(cls, name: str, material: bytes) -> Canary:
        """Return a canary of key material."""
        return cls(name, (material, to_base64url(material).encode()))

    def found_in(self, content: bytes) -> set[str]:
        """Return the encodings that it is found in."""
        return {encoding for encoding, spelling in self.spellings if spelling in content}


@dataclass
class Search:
    """Looks for canaries in one place after another.

    Attributes:
        places: where it has looked, with how many bytes there were.
        hits: what was found: canary, encoding, place.
    """

    canaries: Iterable[Canary]
    places: dict[str, int] = field(default_factory=dict)
    hits: list[tuple[str, str, str]] = field(default_factory=list)

    def look(self, place: str, content: bytes | str, detail: str = "") -> None:
        """Look into content of a place."""
        content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        self.places[place] = self.places.get(place, 0) + len(content)
        where = f"{place}: {detail}" if detail else place
        self.hits += [
            (canary.name, encoding, where) for canary in self.canaries for encoding in canary.found_in(content)
        ]

    def look_at_files(self, place: str, files: Iterable[Path]) -> None:
        """Look into files, and at their names."""
        self.places.setdefault(place, 0)
        for file in files:
            self.look(place, str(file).encode() + b"\n" + file.read_bytes(), str(file))

    def look_at_database(self, place: str, url: str) -> set[str]:
        """Look into every column of every row of every table; return the names of the tables."""
        engine = create_engine(url)
        tables = MetaData()
        tables.reflect(engine)
        with engine.connect() as connection:
            for table in tables.sorted_tables:
                rows = connection.execute(select(table))
                self.look(place, b"\n".join(_cells(rows)), table.name)
        engine.dispose()
        return set(tables.tables)


def _cells(rows: Iterable[Iterable[object]]) -> Iterator[bytes]:
    for row in rows:
        for cell in row:
            if isinstance(cell, bytes | memoryview):
                yield bytes(cell)
            elif isinstance(cell, dict | list):
                yield json.dumps(cell, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
            else:
                yield str(cell).encode("utf-8", "surrogatepass")
