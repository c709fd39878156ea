"""Request bodies: JSON (RFC 8259) without what two readers understand differently or a database cannot hold.

Refused: duplicate names, NaN and infinities, integers beyond 64 bits, NUL and lone surrogates in text, nesting deeper
than 32, bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

_DEPTH = 32
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(body: bytes) -> Any:
    """Return the data that `body` writes down.

    Raises:
        ValueError: it is not JSON in the sense above. The message does not show the body.
    """
    try:
        data = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_within_64_bits,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON, from line {error.lineno} column {error.colno} on") from None
    for text in _texts(data):
        if _UNSTORABLE.search(text):
            raise ValueError("a text holds a NUL character or half of a surrogate pair")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return data


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _within_64_bits(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= (number := int(text)) < 2**63:
        raise ValueError("an integer does not fit into 64 bits")
    return number


def _texts(data: Any) -> Iterator[str]:
    """Yield all names and texts, layer after layer, so that depth is counted and never recursed into."""
    layer = [data]
    for _ in range(_DEPTH):
        deeper: list[Any] = []
        for item in layer:
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict):
                deeper += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                deeper += item
        if not deeper:
            return
        layer = deeper
    raise ValueError("it is nested too deeply")
