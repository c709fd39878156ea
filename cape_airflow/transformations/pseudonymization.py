"""Pseudonymization: tokens in place of values, the same token for the same value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Self

import pyarrow as pa
from pydantic import ValidationInfo, field_validator, model_validator

from cape_airflow.kernels import aes_siv_encrypt_hex, hmac_sha256
from cape_airflow.kernels.encode import encoded_first
from cape_airflow.kernels.encodings import BITS, Encoding, encoded_type, length_of
from cape_airflow.kernels.text import canonical_text, has_canonical_text, text_type
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, KeyReference
from cape_airflow.transformations.grammar import ANY_VERSION, Grammar
from cape_airflow.transformations.keyed import shared_pairs, subkey
from cape_airflow.transformations.values import Elementwise

TAKES = "text, integers, dates, decimals and booleans"
"""What has canonical text."""

ENCRYPTED = "e1_6ae1ee75048bf9a1d01f22383346981f574e14e4fdba8ccb7c27cbb066ce043ba8"
"""The token of the examples."""

_SAFE, _LEAST = 128, 32  # bits of a token
_ALPHABETS: dict[Encoding, str] = {"hex": "[0-9a-f]", "base32": "[a-z2-7]", "raw": "(?s:.)"}


class KeyedHash(Elementwise):
    """Replace values by a keyed hash of their canonical text: HMAC-SHA-256 (RFC 2104), not reversible.

    Takes text, integers, dates, decimals and booleans. Tokens are ``t`` + key version + ``_`` + lower-case hex or
    base32 (alphabet of RFC 4648, section 6; no padding); raw ones are a binary column of nothing but the hash. Equal
    values give equal tokens in all columns and data sets with the same key and domain, whatever their type (the integer
    5, the decimal 5.00 and the text ``5`` join), and never across domains.

    Not given: anonymity. Equal values can still be counted and joined, and whoever has the key can test guesses. Raw
    tokens do not tell the key version, so that those of two versions look alike.

    Args:
        key: at least 32 bytes; the primary version is used.
        encoding: ``hex``, ``base32`` or ``raw``.
        length: characters of the hash that a token keeps, or bytes of a raw one; all by default: 64 hex digits, 52
            characters of base32, or 32 bytes. At least 128 bits of it: 32, 26 or 16.
        lossy: allows a length down to 32 bits (8, 7 or 4), at which different values may share a token.
    """

    type: ClassVar[str] = "keyed-hash"
    family: ClassVar[Family] = Family.PSEUDONYMIZATION
    example: ClassVar[Example] = Example(
        "alice@example.com",
        "t1_f2323d69a48b6405c4e0be3dca3824c9800d024a4ca49246fce4b1d2bc01e65b",
        {"key": {"ref": "customer-id"}},
    )

    key: KeyReference
    encoding: Encoding = "hex"
    length: int | None = None
    lossy: bool = False

    @field_validator("length")
    @classmethod
    def _in_range(cls, length: int | None, info: ValidationInfo) -> int | None:
        """Return None for the whole hash, so that a policy has one digest whether or not it says so."""
        encoding = info.data.get("encoding", "hex")  # it is missing where it was refused
        least, most = length_of(encoding, _LEAST), length_of(encoding)
        if length is not None and not least <= length <= most:
            raise ValueError(f"should be greater than or equal to {least} and at most {most} in {encoding}")
        return None if length == most else length

    @model_validator(mode="after")
    def _only_lossy_is_short(self) -> Self:
        if self._bits < _SAFE and not self.lossy:
            raise ValueError(f"`length` is at least {length_of(self.encoding, _SAFE)}, or say `lossy: true`")
        return self

    @property
    def _bits(self) -> int:
        return BITS[self.encoding] * (self.length or length_of(self.encoding))

    def notes(self) -> Iterator[str]:
        """Say how likely a short token is shared."""
        if self._bits < _SAFE:
            pairs = shared_pairs(self._bits)
            yield f"lossy tokens: of 1,000,000 different values, about {pairs} pairs are expected to share one"

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return string, or binary for raw tokens; large_string or large_binary for large_string."""
        return encoded_type(self.encoding, _token_type(self, input_type))

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return that of a token, with its key version; of a raw one its length only."""
        prefix = "" if self.encoding == "raw" else f"t{ANY_VERSION}_"
        digits = self.length or length_of(self.encoding)
        return Grammar(f"{prefix}{_ALPHABETS[self.encoding]}{{{digits}}}", self._bits)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key's primary version."""
        key = binding.keys.get(self.key.ref)
        secret = subkey(binding, key, key.primary, technique=self.type, length=32)
        prefix = "" if self.encoding == "raw" else f"t{key.primary}_"

        def token(array: pa.Array) -> pa.Array:
            text = canonical_text(array)
            return hmac_sha256(text, secret, encoding=self.encoding, prefix=prefix, stop=self.length)

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

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return that of a token, with its key version: 16 bytes of the synthetic IV, then those of the text."""
        return Grammar(f"e{ANY_VERSION}_(?:[0-9a-f]{{2}}){{16,}}", _SAFE)

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
