from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.strict_json import parse_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


@given(VALUES, st.booleans())
def test_what_python_writes_is_read_as_it_was(value: Any, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_data_or_a_value_error(body: bytes) -> None:
    assert failure_of(body) in (None, ValueError)


def failure_of(body: bytes) -> type[Exception] | None:
    try:
        parse_json(body)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return type(error)
    return None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a": 1, "a": 1}', "twice"),
        (b'[{"x": {"a": 1, "\\u0061": 2}}]', "twice"),
        (b"NaN", "NaN"),
        (b"[1e400]", "too large"),
        (b"9223372036854775808", "64 bits"),
        (b"-9223372036854775809", "64 bits"),
        (b'"\\u0000"', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'["\\ud83d"]', "surrogate"),
        (b"\xff", "UTF-8"),
        (b"{", "line 1 column 2"),
        (b"[" * 33 + b"]" * 33, "nested"),
        (b"[" * 99_999, "nested"),
    ],
)
def test_what_two_readers_understand_differently_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(body)


def test_the_largest_allowed_things_are_taken() -> None:
    assert parse_json(b"[" * 31 + b"]" * 31)
    assert parse_json(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert parse_json('"🦊 \\ud83e\\udd8a"'.encode()) == "🦊 🦊"
