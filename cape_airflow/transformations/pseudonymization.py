"""Pseudonymization: tokens in place of values, the same token for the same value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, ClassVar, Self

import pyarrow as pa
from pydantic import Field, model_validator

from cape_airflow.kernels import aes_siv_encrypt_hex, hmac_sha256_hex
from cape_airflow.kernels.encode import encoded_first
from cape_airflow.kernels.text import canonical_text, has_canonical_text, text_type
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, KeyReference
from cape_airflow.transformations.keyed import subkey
from cape_airflow.transformations.values import Elementwise

TAKES = "text, integers, dates, decimals and booleans"
"""What has canonical text."""

ENCRYPTED = "e1_6ae1ee75048bf9a1d01f22383346981f574e14e4fdba8ccb7c27cbb066ce043ba8"
"""The token of the examples."""

_SAFE_LENGTH = 32  # hex digits: 128 bits


class KeyedHash(Elementwise):
    """Replace values by a keyed hash of their canonical text: HMAC-SHA-256 (RFC 2104), not reversible.

    Takes text, integers, dates, decimals and booleans. Tokens are ``t`` + key version + ``_`` + lower-case hex. Equal
    values give equal tokens in all columns and data sets with the same key and domain, whatever their type (the integer
    5, the decimal 5.00 and the text ``5`` join), and never across domains.

    Not given: anonymity. Equal values can still be counted and joined, and whoever has the key can test guesses.

    Args:
        key: at least 32 bytes; the primary version is used.
        length: hex digits of a token, 32 to 64.
        lossy: allows a length of 8 to 31, at which different values may share a token.
    """

    type: ClassVar[str] = "keyed-hash"
    family: ClassVar[Family] = Family.PSEUDONYMIZATION
    example: ClassVar[Example] = Example(
        "alice@example.com",
        "t1_f2323d69a48b6405c4e0be3dca3824c9800d024a4ca49246fce4b1d2bc01e65b",
        {"key": {"ref": "customer-id"}},
    )

    key: KeyReference
    length: Annotated[int, Field(ge=8, le=64)] = 64
    lossy: bool = False

    @model_validator(mode="after")
    def _only_lossy_is_short(self) -> Self:
        if self.length < _SAFE_LENGTH and not self.lossy:
            raise ValueError(f"`length` is at least {_SAFE_LENGTH}, or say `lossy: true`")
        return self

    def notes(self) -> Iterator[str]:
        """Say how likely a short token is shared."""
        if self.length < _SAFE_LENGTH:
            pairs = 10**12 / 2 / 16**self.length
            yield f"lossy tokens: of 1,000,000 different values, about {pairs:.2g} pairs are expected to share one"

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return string, or large_string for large_string."""
        return _token_type(self, input_type)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key's primary version."""
        key = binding.keys.get(self.key.ref)
        secret = subkey(binding, key, key.primary, technique=self.type, length=32)
        prefix = f"t{key.primary}_"

        def token(array: pa.Array) -> pa.Array:
            return hmac_sha256_hex(canonical_text(array), secret, prefix=prefix, digits=self.length)

        return partial(encoded_first, token)


class DeterministicEncryption(Elementwise):
    """Encrypt values deterministically: AES-SIV (RFC 5297) under a 64-byte key; `reveal` is the inverse.

    Takes text, integers, dates, decimals and booleans. Tokens are ``e`` + key version + ``_`` + lower-case hex; key
    version and domain are authenticated with each one. Equal values give equal tokens within a key version and domain.

    Not given: anonymity. Equal values can still be counted and joined, the length of the text shows, and whoever has
    the key reads everything.

    Args:
        key: at least 32 bytes; the primary version is used.
    """

    type: ClassVar[str] = "deterministic-encryption"
    family: ClassVar[Family] = Family.CRYPTOGRAPHIC
    reversible: ClassVar[bool] = True
    example: ClassVar[Example] = Example("alice@example.com", ENCRYPTED, {"key": {"ref": "customer-id"}})

    key: KeyReference

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return string, or large_string for large_string."""
        return _token_type(self, input_type)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key's primary version."""
        key = binding.keys.get(self.key.ref)
        secret = subkey(binding, key, key.primary, technique=self.type, length=64)
        bound, prefix = associated_data(key.primary, binding), f"e{key.primary}_"

        def token(array: pa.Array) -> pa.Array:
            return aes_siv_encrypt_hex(canonical_text(array), secret, associated_data=bound, prefix=prefix)

        return partial(encoded_first, token)


def _token_type(technique: Elementwise, input_type: pa.DataType) -> pa.DataType:
    if not has_canonical_text(input_type):
        raise technique.unsupported(input_type, TAKES)
    return text_type(input_type)


def associated_data(version: int, binding: Binding) -> list[bytes]:
    """Return what is authenticated with every token of `DeterministicEncryption`."""
    return [str(version).encode(), binding.domain.encode()]
