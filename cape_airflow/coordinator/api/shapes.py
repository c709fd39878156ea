"""What bodies and answers are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, StringConstraints

from cape_airflow.coordinator.clock import rfc3339

# No control characters, and none that change the direction of text: a reviewer must see what is there.
_VISIBLE = r"^[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]*$"
_EMAIL = r"^[^\s\x00-\x20\x7f-\x9f@/\\?#%,<>\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+@[A-Za-z0-9.-]+$"

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_VISIBLE)]
"""One line of text for people."""

Prose = Annotated[str, StringConstraints(max_length=10_000)]
"""Text for people, of any number of lines."""

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
"""Prose that must not be empty."""

Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL), AfterValidator(str.lower)]
"""An email address, in lower case: what a user is found by."""

Label = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$")]
"""What a project is named by in URLs."""

KeyName = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")]
"""What policies name a key by."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a policy's canonical form, in lower-case hex."""

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
"""A moment in UTC, RFC 3339."""


class Body(BaseModel):
    """The body of a request: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(frozen=True)
