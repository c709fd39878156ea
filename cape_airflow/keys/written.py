"""Keys written down: the form in which a key file and the coordinator hand over a key with its versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from cape_airflow.keys.encoding import from_base64url, to_base64url
from cape_airflow.keys.material import Key, Secret

SHORTEST = 16
"""Bytes: 128 bits, the least that a key may have."""


def material(text: object) -> Secret:
    """Return key material from its base64url text; a Secret stays what it is.

    Raises:
        ValueError: it is not base64url, or of less than 16 bytes. The message does not show it.
    """
    if isinstance(text, Secret):
        return text
    if not isinstance(text, str):
        raise ValueError("not text")
    secret = from_base64url(text)
    if len(secret) < SHORTEST:
        raise ValueError(f"shorter than {SHORTEST} bytes")
    return Secret(secret)


def _text(secret: Secret) -> str:
    return to_base64url(secret.reveal())


class WrittenKey(BaseModel):
    """``{"primary": 1, "versions": {"1": base64url}}``, and what of a `Key` differs from its defaults.

    Dumping it shows the material: only a key file and the pipe to a driver of Spark may hold that.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    primary: Annotated[int, Field(ge=1)]
    versions: Mapping[int, Annotated[Secret, PlainValidator(material), PlainSerializer(_text)]] = Field(repr=False)
    retired: frozenset[int] = frozenset()
    destroyed: frozenset[int] = frozenset()
    may_reveal: bool = True

    @classmethod
    def of(cls, key: Key) -> Self:
        """Return a key as it is written down."""
        return cls(**{name: getattr(key, name) for name in cls.model_fields})

    def key(self, name: str) -> Key:
        """Return it as the key of that name.

        Raises:
            KeyUnavailable: the primary version has no material, or is retired.
        """
        return Key(name, self.versions, self.primary, self.retired, self.destroyed, self.may_reveal)
