"""A strict reader for the small part of YAML that a policy needs; JSON is part of it.

- One document; at most 256 KB, 20 levels, 20,000 nodes.
- No anchors, aliases, tags, merges (``<<``), duplicate keys, or keys that are not text.
- Plain ``true``/``false``, ``null``/``~``, decimal integers and floats are values; everything else is text. So ``no``,
  ``on``, ``12:34:56``, ``017`` and ``2020-01-01`` are text, as a reader of the policy sees them.
- No invisible characters (zero-width, bidirectional controls): what a reviewer sees is what is read.

It works on libyaml's events and never builds a Python object that the text names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from cape_airflow.errors import Location, PolicyError, did_you_mean

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 20_000
MAX_INTEGER = 2**53 - 1  # RFC 8785 keeps integers exact up to here

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip

Scalar = str | int | float | bool | None
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Node:
    """A value of the document and where it stands.

    Args:
        value: a scalar, a list of nodes, or a dict of name to node.
        location: its place; `location.rule` is the path, e.g. ``rules[0].actions[1].transform``.
        key_location: for an entry of a mapping, where its name stands.
    """

    value: Scalar | list[Node] | dict[str, Node]
    location: Location
    key_location: Location | None = None

    def plain(self) -> Any:
        """Return the value as plain lists, dicts and scalars."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {name: item.plain() for name, item in self.value.items()}
        return self.value

    def error(self, message: str) -> PolicyError:
        """Return a PolicyError that points here."""
        return PolicyError(message, self.location)

    def text(self, expectation: str) -> str:
        """Return the text; raise PolicyError with `expectation` where it is something else."""
        if not isinstance(self.value, str):
            raise self.error(expectation)
        return self.value

    def items(self, expectation: str) -> list[Node]:
        """Return the items; raise PolicyError with `expectation` where it is no list."""
        if not isinstance(self.value, list):
            raise self.error(expectation)
        return self.value

    def entries(self, expectation: str) -> dict[str, Node]:
        """Return the entries; raise PolicyError with `expectation` where it is no mapping."""
        if not isinstance(self.value, dict):
            raise self.error(expectation)
        return self.value


def check_names(entries: Mapping[str, Node], known: Iterable[str], what: str) -> None:
    """Raise PolicyError at the first name of a mapping that does not belong there."""
    known = sorted(known)
    for name, node in entries.items():
        if name not in known:
            way_out = did_you_mean(name, known) or f"; it may have {', '.join(known)}"
            raise PolicyError(f"{what} has no `{name}`{way_out}", node.key_location or node.location)


def read_yaml(text: str, file: str | None = None) -> Node:
    """Read one document.

    Args:
        text: the policy text.
        file: its name, for error messages.

    Raises:
        PolicyError: anything that this module's rules refuse, with line and column.
    """
    return _Reader(file).read(text)


class _Reader:
    def __init__(self, file: str | None) -> None:
        self._file = file
        self._nodes = 0
        self._events: Iterator[Any] = iter(())

    def read(self, text: str) -> Node:
        text = text.removeprefix("\ufeff")  # the byte order mark that some editors write
        self._check_text(text)
        self._events = yaml.parse(text, Loader=_Loader)
        try:
            self._next()  # stream start
            if not isinstance(event := self._next(), yaml.DocumentStartEvent):
                raise PolicyError("the policy is empty", self._at(event))
            root = self._node(self._next(), "", 1)
            self._next()  # document end
            if not isinstance(event := self._next(), yaml.StreamEndEvent):
                raise PolicyError("a policy is one document; remove what follows `---`", self._at(event))
            return root
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Location(mark.line + 1, mark.column + 1, "", self._file) if mark else None
            raise PolicyError(f"this is not YAML: {error.problem or error.context}", place) from None
        except yaml.YAMLError:
            raise PolicyError("this is not YAML: it holds characters that YAML does not allow") from None

    def _check_text(self, text: str) -> None:
        try:
            size = len(text.encode("utf-8"))
        except UnicodeEncodeError:
            raise PolicyError("the policy is not valid Unicode text") from None
        if size > MAX_BYTES:
            raise PolicyError(f"a policy has at most {MAX_BYTES // 1024} KB")
        for number, line in enumerate(text.split("\n"), start=1):
            for column, character in enumerate(line, start=1):
                if character not in "\t\r" and unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
                    place = Location(number, column, "", self._file)
                    raise PolicyError(f"invisible character U+{ord(character):04X}; remove it", place)

    def _next(self) -> Any:
        return next(self._events)

    def _at(self, event: Any, path: str = "") -> Location:
        return Location(event.start_mark.line + 1, event.start_mark.column + 1, path, self._file)

    def _node(self, event: Any, path: str, depth: int) -> Node:
        location = self._at(event, path)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise PolicyError(f"a policy has at most {MAX_NODES} values", location)
        if depth > MAX_DEPTH:
            raise PolicyError(f"a policy nests at most {MAX_DEPTH} levels", location)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise PolicyError("anchors and aliases (& and *) are not allowed; write the value out", location)
        if event.tag is not None:
            raise PolicyError("tags (!...) are not allowed; write the plain value", location)
        if isinstance(event, yaml.ScalarEvent):
            return Node(_scalar(event, location), location)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(path, depth), location)
        return Node(self._mapping(path, depth), location)

    def _sequence(self, path: str, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, f"{path}[{len(items)}]", depth + 1))
        return items

    def _mapping(self, path: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            name = key.value
            if not isinstance(name, str):
                raise key.error("a name here is text; put it in quotes")
            if name == "<<":
                raise key.error("merges (<<) are not allowed; write the values out")
            if name in entries:
                raise key.error(f"`{name}` stands here twice; keep one")
            inner = f"{path}.{name}" if path else name
            value = self._node(self._next(), inner, depth + 1)
            entries[name] = Node(value.value, value.location, key.location)
        return entries


def stands_for_itself(text: str) -> bool:
    """Return whether a text is read as itself when it stands without quotes, and not as a number or a constant."""
    return text not in _CONSTANTS and not _INTEGER.fullmatch(text) and not _FLOAT.fullmatch(text)


def _scalar(event: Any, location: Location) -> Scalar:
    text: str = event.value
    if event.style:  # quoted or block text
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
            raise PolicyError("integers go up to 2^53 - 1; put longer digits in quotes", location)
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise PolicyError("numbers are finite", location)
        return number
    return text
