"""Cape's tokens: `tokenizer`, `reversible-tokenizer`, `token-reverser`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

from cape_airflow.errors import KeyUnavailable
from cape_airflow.kernels import aes_siv_decrypt_hex, aes_siv_encrypt_hex, sha256_suffix
from cape_airflow.kernels.encode import encoded_first
from cape_airflow.kernels.refusal import refused
from cape_airflow.kernels.text import checked_text, decode, encode, is_text, text_type
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, KeyReference
from cape_airflow.transformations.grammar import Grammar
from cape_airflow.transformations.keyed import shared_pairs
from cape_airflow.transformations.values import Elementwise

_ENCRYPTED = "4744cd07f6bab507c73223352567836f04fc0e6318"
_BLANKS = r"[\t-\r ]"  # those that Python's bytes.fromhex skips
_KEY = 32  # bytes: two AES-128 keys, AES-SIV-CMAC-256 of RFC 5297


def _text_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError("no text encoding of that name, e.g. utf-8 or latin-1") from None
    return name


Encoding = Annotated[str, AfterValidator(_text_encoding)]


class _TextToText(Elementwise):
    """Text in, text out."""

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return string, or large_string for large_string."""
        if not is_text(input_type):
            raise self.unsupported(input_type, "text")
        return text_type(input_type)

    def _material(self, binding: Binding, reference: KeyReference) -> bytes:
        key = binding.keys.get(reference.ref)
        return key.version(key.primary).reveal()


class Tokenizer(_TextToText):
    """Replace text by Cape's token: SHA-256 over the value followed by the key, as lower-case hex.

    Takes text.

    Not given: the strength of `keyed-hash`. This is no HMAC: value and key run into each other, so that value ``ab``
    with key ``c`` and value ``a`` with key ``bc`` share a token; and a short key can be found by trying. Use it to keep
    joins with data that Cape wrote.

    Args:
        max_token_len: hex digits kept of 64; a negative number cuts that many from the end. None keeps all.
        key: any length; None draws a random key for every run.
    """

    type: ClassVar[str] = "tokenizer"
    family: ClassVar[Family] = Family.PSEUDONYMIZATION
    example: ClassVar[Example] = Example("Alice", "0ef88e302b", {"max_token_len": 10, "key": {"ref": "old-key"}})

    max_token_len: int | None = None
    key: KeyReference | None = None

    def notes(self) -> Iterator[str]:
        """Warn of a random key, and of tokens that different values will share."""
        if self.key is None:
            yield "no key: tokens are made with a random key and differ from run to run; give `key` to join by them"
        kept = self._digits
        if kept < 32:
            pairs = shared_pairs(4 * kept)
            yield f"tokens of {kept} hex digits: of 1,000,000 different values, about {pairs} pairs share one"

    @property
    def _digits(self) -> int:
        return len(("x" * 64)[: self.max_token_len])

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return that of a token: hex digits, of no key version."""
        return Grammar(f"[0-9a-f]{{{self._digits}}}", 4 * self._digits)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key's primary version, or with a random key of its own."""
        suffix = os.urandom(_KEY) if self.key is None else self._material(binding, self.key)
        if not suffix:
            raise KeyUnavailable("a tokenizer's key is empty; give one, or no `key` for a random one")

        def token(array: pa.Array) -> pa.Array:
            return sha256_suffix(checked_text(array), suffix, stop=self.max_token_len)

        return partial(encoded_first, token)


class _Reversible(_TextToText):
    """AES-SIV with Cape's 32-byte key and no associated data."""

    key: KeyReference
    encoding: Encoding = "utf-8"

    def _cipher_key(self, binding: Binding) -> bytes:
        material = self._material(binding, self.key)
        if len(material) != _KEY:
            raise KeyUnavailable(f"`{self.type}` takes a key of {_KEY} bytes; `{self.key.ref}` has {len(material)}")
        return material


class ReversibleTokenizer(_Reversible):
    """Encrypt text as Cape did: AES-SIV (RFC 5297), 32-byte key, no associated data, as lower-case hex.

    Takes text.

    Not given: key versions in the token, or separation of domains: use `deterministic-encryption` for new data.

    Args:
        key: of exactly 32 bytes.
        encoding: Python's name of the text encoding that is encrypted.
    """

    type: ClassVar[str] = "reversible-tokenizer"
    family: ClassVar[Family] = Family.CRYPTOGRAPHIC
    reversible: ClassVar[bool] = True
    example: ClassVar[Example] = Example("Alice", _ENCRYPTED, {"key": {"ref": "old-key"}})

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return that of a token, of no key version: 16 bytes of the synthetic IV, then those of the text."""
        return Grammar("(?:[0-9a-f]{2}){16,}", 128)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key's primary version."""
        key = self._cipher_key(binding)
        return partial(encoded_first, lambda array: aes_siv_encrypt_hex(encode(array, self.encoding), key))


class TokenReverser(_Reversible):
    """Decrypt tokens of `reversible-tokenizer`; whoever runs this needs the key (re-identification).

    Takes text.

    Not given: a reason why a token is refused. Changed, cut and foreign tokens look the same.

    Args:
        key: the key that the tokens were made with.
        encoding: the encoding that they were made with.
    """

    type: ClassVar[str] = "token-reverser"
    family: ClassVar[Family] = Family.REIDENTIFICATION
    example: ClassVar[Example] = Example(_ENCRYPTED, "Alice", {"key": {"ref": "old-key"}})

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key's primary version."""
        key = self._cipher_key(binding)

        def reversed_(tokens: pa.Array) -> pa.Array:
            text = checked_text(tokens)
            plain = aes_siv_decrypt_hex(text, key)
            if plain.null_count > text.null_count:  # Cape read tokens with blanks between their digits
                plain = aes_siv_decrypt_hex(pc.replace_substring_regex(text, _BLANKS, ""), key)
            foreign = plain.null_count - text.null_count
            if foreign:
                raise refused(foreign, "no tokens of this key, or changed; check `key`")
            return decode(plain, self.encoding)

        return reversed_
