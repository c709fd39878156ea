"""What bodies and answers are made of."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, StringConstraints

from cape_airflow.coordinator.clock import rfc3339

# None that cannot be seen or that change the direction of text: a reviewer must see what is there.
_HIDDEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"


def _written(pattern: str, what: str) -> AfterValidator:
    """Return a check whose message says what is asked for, in place of the pattern."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {what}")
        return text

    return AfterValidator(check)


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    _written(f"[^{_HIDDEN}]*", "one line of visible characters"),
]
"""One line of text for people."""

Prose = Annotated[str, StringConstraints(max_length=4_000)]
"""Text for people, of any number of lines."""

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
"""Prose that must not be empty."""

Email = Annotated[
    str,
    StringConstraints(max_length=254),
    _written(rf"[^\s@/\\?#%,<>{_HIDDEN}]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", "an email address"),
    AfterValidator(str.lower),
]
"""An email address, in lower case: what a user is found by."""

Label = Annotated[
    str,
    StringConstraints(max_length=64),
    _written(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?", "a label of a-z, 0-9, and - _ . inside"),
]
"""What a project is named by in URLs."""

KeyName = Annotated[
    str,
    StringConstraints(max_length=200),
    _written(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", "a name of letters, digits, and - _ . inside"),
]
"""What policies name a key by."""

Digest = Annotated[str, _written("[0-9a-f]{64}", "64 lower-case hex digits")]
"""SHA-256 of a policy's canonical form, in lower-case hex."""

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
"""A moment in UTC, RFC 3339."""


class Body(BaseModel):
    """The body of a request: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(frozen=True)
