"""Re-identification: what a key makes readable again."""

from __future__ import annotations

import re
from functools import partial, reduce
from typing import Annotated, ClassVar, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, model_validator

from cape_airflow.kernels import aes_siv_decrypt_hex, ff1_decrypt
from cape_airflow.kernels.refusal import refused, refusing
from cape_airflow.kernels.text import checked_text, decode, has_canonical_text, is_text
from cape_airflow.keys import Key
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, KeyReference
from cape_airflow.transformations.format_preserving import (
    Characters,
    Format,
    FormatPreservingEncryption,
    Version,
    Width,
    format_key,
)
from cape_airflow.transformations.keyed import subkey
from cape_airflow.transformations.pseudonymization import ENCRYPTED, TAKES, DeterministicEncryption, associated_data
from cape_airflow.transformations.values import Elementwise


def _readable_type(name: str) -> str:
    """Check that a type can be read back from canonical text."""
    if not has_canonical_text(_type_named(name)):
        raise ValueError(f"no type that can be read back; choose one of {TAKES}, e.g. int64 or decimal128(12, 2)")
    return name


class Reveal(Elementwise):
    """Decrypt what was encrypted; whoever runs this needs the key (re-identification).

    Tokens of `deterministic-encryption` are text. The key version is read from each of them, so that tokens from before
    a key rotation can still be read. For `format-preserving-encryption` give its parameters; it takes text and
    integers, which keep their type.

    Not given: a way round a destroyed key version, or another domain. Tokens of such and changed tokens are refused,
    but what was encrypted format-preserving cannot be told from what was not: it is revealed as some other value.

    Args:
        key: the key that the values were encrypted with.
        of: what encrypted them: deterministic-encryption or format-preserving-encryption.
        to: Arrow type of the values behind tokens, e.g. int64, date32, decimal128(12, 2).
        version: of the key, as for format-preserving-encryption.
        alphabet: as for format-preserving-encryption; None for digits.
        keep: as for format-preserving-encryption; None for no characters.
        width: as for format-preserving-encryption.
    """

    type: ClassVar[str] = "reveal"
    family: ClassVar[Family] = Family.REIDENTIFICATION
    example: ClassVar[Example] = Example(ENCRYPTED, "alice@example.com", {"key": {"ref": "customer-id"}})

    key: KeyReference
    of: Literal["deterministic-encryption", "format-preserving-encryption"] = "deterministic-encryption"
    to: Annotated[str, AfterValidator(_readable_type)] = "string"
    version: Version | None = None
    alphabet: Characters | None = None
    keep: Characters | None = None
    width: Width | None = None

    @model_validator(mode="after")
    def _parameters_of_the_encryption(self) -> Self:
        given = [name for name in ("version", "alphabet", "keep", "width") if getattr(self, name) is not None]
        if self.of == DeterministicEncryption.type:
            if given:
                raise ValueError(f"`{given[0]}` belongs to `of: {FormatPreservingEncryption.type}`")
        elif self.version is None or "to" in self.model_fields_set:
            raise ValueError(f"`of: {self.of}` needs the `version` that it was given, and no `to`")
        else:
            self._format()
        return self

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the type `to` for tokens, the input type for what was encrypted format-preserving."""
        if self.of == FormatPreservingEncryption.type:
            return self._format().output_type(self, input_type)
        if not is_text(input_type):
            raise self.unsupported(input_type, "text")
        return _type_named(self.to)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel for what the key has encrypted."""
        if self.version is None:
            return self._token_kernel(binding)
        return self._format().kernel(partial(ff1_decrypt, key=format_key(binding, self.key, self.version)))

    def _format(self) -> Format:
        return Format(self.alphabet or "digits", self.keep or "", self.width)

    def _token_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel that tries every version of the key that is left."""
        key = binding.keys.get(self.key.ref)
        secrets = {
            version: subkey(binding, key, version, technique=DeterministicEncryption.type, length=64)
            for version in key.versions
        }
        output_type = _type_named(self.to)

        def revealed(tokens: pa.Array) -> pa.Array:
            text = checked_text(tokens)
            plain = reduce(
                pc.coalesce,
                (
                    aes_siv_decrypt_hex(
                        text, secret, associated_data=associated_data(version, binding), prefix=f"e{version}_"
                    )
                    for version, secret in secrets.items()
                ),
            )
            foreign = plain.null_count - text.null_count
            if foreign:
                raise refused(foreign, f"{_lost(key)}no tokens of this key and domain, or changed; check both")
            values = decode(plain, "utf-8")
            return refusing(lambda part: part.cast(output_type), values, f"not {self.to}; choose another `to`")

        return revealed


def _lost(key: Key) -> str:
    numbers = ", ".join(map(str, sorted(key.destroyed)))
    return f"made with what was destroyed of key `{key.name}` (version {numbers}), or " if numbers else ""


def _type_named(name: str) -> pa.DataType:
    decimal = re.fullmatch(r"(decimal128|decimal256)\((\d{1,2}), ?(\d{1,2})\)", name)
    if decimal:
        return getattr(pa, decimal[1])(int(decimal[2]), int(decimal[3]))
    return pa.type_for_alias(name)
