"""Format-preserving encryption: a card number stays a card number."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, model_validator

from cape_airflow.errors import SchemaMismatch, ValueRefused, did_you_mean
from cape_airflow.kernels import ff1_encrypt
from cape_airflow.kernels.encode import encoded_first
from cape_airflow.kernels.ff1 import SMALLEST_DOMAIN, shortest
from cape_airflow.kernels.refusal import refused
from cape_airflow.kernels.script import Script
from cape_airflow.kernels.text import checked_text, is_text, text_type
from cape_airflow.keys import KeyRing
from cape_airflow.transformations.base import Binding, Example, Family, Kernel, KeyReference, Transformation
from cape_airflow.transformations.grammar import Grammar, one_of
from cape_airflow.transformations.keyed import subkey
from cape_airflow.transformations.values import Elementwise

ALPHABETS = {
    "digits": string.digits,
    "hex": string.digits + "abcdef",
    "upper-hex": string.digits + "ABCDEF",
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "letters": string.ascii_uppercase + string.ascii_lowercase,
    "lower-alphanumeric": string.digits + string.ascii_lowercase,
    "upper-alphanumeric": string.digits + string.ascii_uppercase,
    "alphanumeric": string.digits + string.ascii_uppercase + string.ascii_lowercase,
}
"""The characters that the named alphabets stand for, in the order of their numerals."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,23}")
"""What a name of an alphabet looks like, right or wrong."""

_NEGATIVE = b"-"
_LEAST_WIDTH = shortest(10)

Crypt = Callable[..., pa.Array]


def _encodable(characters: str) -> str:
    try:
        characters.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair is no character") from None
    return characters


Characters = Annotated[str, AfterValidator(_encodable)]
Version = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=_LEAST_WIDTH, le=19)]


@dataclass(frozen=True)
class Format:
    """What format-preserving encryption keeps.

    Args:
        alphabet: a named alphabet, or its characters.
        keep: characters that stay where they are.
        width: digits of integers; None for the most that the type allows.

    Raises:
        ValueError: a name of no alphabet; characters that come twice, or too few or too many of them.
    """

    alphabet: str
    keep: str
    width: int | None

    def __post_init__(self) -> None:
        if self.alphabet not in ALPHABETS and _WORD.fullmatch(self.alphabet):
            _check_no_name(self.alphabet)
        Script(self.characters, self.keep)

    @property
    def characters(self) -> str:
        """The characters of the alphabet."""
        return ALPHABETS.get(self.alphabet, self.alphabet)

    def output_type(self, technique: Transformation, input_type: pa.DataType) -> pa.DataType:
        """Return the type that comes out of `technique`.

        Raises:
            SchemaMismatch: neither text nor integers that have this format.
        """
        if is_text(input_type):
            return text_type(input_type)
        if not pa.types.is_integer(input_type):
            raise technique.unsupported(input_type, "text and integers")
        if self.characters != string.digits:
            raise SchemaMismatch(f"`{technique.type}`: integers take the alphabet `digits` alone")
        widest = _widest(input_type)
        if widest < _LEAST_WIDTH:
            wanted = f"integers of which all numbers of {_LEAST_WIDTH} digits fit the type"
            raise technique.unsupported(input_type, wanted)
        if self.width is not None and self.width > widest:
            raise SchemaMismatch(
                f"`{technique.type}`: {input_type} holds all numbers of {widest} digits, not {self.width}"
            )
        return input_type

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return what stays of a value: its characters; any value of its length may come out."""
        if not is_text(output_type):
            width = self.width or _widest(output_type)
            return Grammar(f"-?[0-9]{{1,{width}}}|-10{{{width}}}", width * math.log2(10))
        radix, character = len(self.characters), one_of(self.characters)
        kept = f"{one_of(self.keep)}*" if self.keep else ""
        pattern = f"(?:{kept}{character}){{{shortest(radix)},}}{kept}"
        return Grammar(pattern, math.log2(radix), each=character)

    def kernel(self, crypt: Crypt) -> Kernel:
        """Return a kernel that encrypts or decrypts, as `crypt` does: one of the FF1 kernels with its key."""
        keyed = partial(crypt, alphabet=self.characters)

        def converted(array: pa.Array) -> pa.Array:
            return self._text(array, keyed) if is_text(array.type) else self._integers(array, keyed)

        return partial(encoded_first, converted)

    def _text(self, array: pa.Array, crypt: Crypt) -> pa.Array:
        text = checked_text(array)
        result = crypt(text, keep=self.keep)
        if result.null_count > text.null_count:
            raise self._refusal(text.filter(pc.and_(text.is_valid(), result.is_null())))
        return result

    def _integers(self, array: pa.Array, crypt: Crypt) -> pa.Array:
        width = self.width or _widest(array.type)
        negative = pc.less(array, pa.scalar(0, array.type))
        counted = pc.if_else(negative, pc.bit_wise_not(array), array).cast(pa.string())
        too_long = pc.sum(pc.greater(pc.binary_length(counted), width)).as_py()
        if too_long:
            raise refused(too_long, f"more than {width} digits; choose another `width`, or a wider type")
        numerals = pc.utf8_lpad(counted, width, "0")
        result = crypt(numerals)
        if pc.any(negative).as_py():
            result = pc.if_else(negative, crypt(numerals, tweak=_NEGATIVE), result)
        result = result.cast(array.type)
        return pc.if_else(negative, pc.bit_wise_not(result), result)

    def _refusal(self, values: pa.Array) -> ValueRefused:
        """Return the error for values of which each has foreign characters, or too few of the alphabet."""
        known = set(self.characters + self.keep)
        foreign = sum(not known.issuperset(value) for value in values.to_pylist())
        reasons = {
            "with characters outside of `alphabet` and `keep`; widen one of them": foreign,
            f"with fewer than {shortest(len(self.characters))} characters of the alphabet, a domain below "
            f"{SMALLEST_DOMAIN:,}; use `deterministic-encryption`": len(values) - foreign,
        }
        return refused(len(values), "; ".join(f"{count} {reason}" for reason, count in reasons.items() if count))


class FormatPreservingEncryption(Elementwise):
    """Encrypt text to text of the same characters and length, integers to integers: FF1 (NIST SP 800-38G), AES-256.

    Takes text and integers. Each character of `alphabet` becomes another of it, characters of `keep` stay where they
    are, and all others are refused. So are values with so few characters of the alphabet that fewer than 1,000,000
    values could stand in their place (5 digits, 3 letters), as the revision of the standard requires.

    Integers are decimal numbers of `width` digits, zeros in front included, and keep their sign; -1 counts as zero, -2
    as one and so on, so that every result can be told from every other. An integer that is not negative and text of
    `width` digits encrypt alike.

    The output has no room for a key version. So the policy names it: after a rotation of the key, data stay under
    `version` until a reviewed policy names another one. Equal values give equal results in all columns and data sets
    with the same key, version, domain and alphabet, and never across them. `reveal` with
    `of: format-preserving-encryption` and the same parameters is the inverse.

    Not given: anonymity, or proof of origin. Equal values can still be counted and joined, length and kept characters
    show, whoever has the key reads everything, and a changed or foreign value is revealed as some other value.
    Prefer `deterministic-encryption` wherever the format is free.

    Args:
        key: at least 32 bytes.
        version: the version of the key.
        alphabet: digits, hex, upper-hex, lower, upper, letters (both cases), lower-alphanumeric, upper-alphanumeric,
            alphanumeric, or 2 to 65,536 distinct characters. Of these, what looks like a name is written in ascending
            order (``ACGT``, not ``TGCA``), so that no misspelt name is taken for characters.
        keep: characters outside of the alphabet that may stand in a value and stay as they are, e.g. ``"- "``.
        width: digits of integers, 6 or more; None for as many as every number of them fits the type: 18 for int64, 19
            for uint64, 9 for int32 and uint32. Shorter types are refused.
    """

    type: ClassVar[str] = "format-preserving-encryption"
    family: ClassVar[Family] = Family.CRYPTOGRAPHIC
    reversible: ClassVar[bool] = True
    example: ClassVar[Example] = Example(
        "4556-7375-8689-9855",
        "4035-4568-2375-4344",
        {"key": {"ref": "customer-id"}, "version": 1, "alphabet": "digits", "keep": "-"},
    )

    key: KeyReference
    version: Version
    alphabet: Characters = "digits"
    keep: Characters = ""
    width: Width | None = None

    def notes(self) -> Iterator[str]:
        """Say which key version this is bound to, and which values are too short."""
        yield f"pinned to version {self.version} of key `{self.key.ref}`: a rotation changes nothing until this does"
        least = shortest(len(self._format().characters))
        yield f"values with fewer than {least} characters to encrypt are refused: fewer than 1,000,000 could be meant"

    def value_type(self, input_type: pa.DataType) -> pa.DataType:
        """Return the input type if it is an integer; large_string for itself and string for other text."""
        return self._format().output_type(self, input_type)

    def grammar(self, output_type: pa.DataType) -> Grammar:
        """Return the format; it has no room for a key version."""
        return self._format().grammar(output_type)

    def check_keys(self, keys: KeyRing) -> None:
        """Ask for the key, and whether its version may still make something new.

        Raises:
            KeyUnavailable: it cannot be had, or the version is retired or destroyed.
        """
        super().check_keys(keys)
        keys.get(self.key.ref).require_enabled(self.version)

    def value_kernel(self, binding: Binding) -> Kernel:
        """Return a kernel with the key version that the policy names."""
        secret = format_key(binding, self.key, self.version)
        return self._format().kernel(partial(ff1_encrypt, key=secret))

    @model_validator(mode="after")
    def _has_format(self) -> Self:
        self._format()
        return self

    def _format(self) -> Format:
        return Format(self.alphabet, self.keep, self.width)


def format_key(binding: Binding, reference: KeyReference, version: int) -> bytes:
    """Return the key of format-preserving encryption in the policy's domain.

    Raises:
        KeyUnavailable: it cannot be had.
    """
    key = binding.keys.get(reference.ref)
    return subkey(binding, key, version, technique=FormatPreservingEncryption.type, length=32)


def _check_no_name(word: str) -> None:
    """Check that a word is characters in ascending order and like no name, for a misspelt name is no alphabet.

    Raises:
        ValueError: it can be a name.
    """
    hint = did_you_mean(word, ALPHABETS)
    if hint or not all(before < after for before, after in pairwise(word)):
        raise ValueError(
            f"no alphabet `{word}`{hint} (known: {', '.join(ALPHABETS)}); if these are the characters themselves, "
            "write them in ascending order, with digits before upper case before lower case"
        )


def _widest(integer: pa.DataType) -> int:
    """Return of how many digits all numbers fit an integer type."""
    largest = int(np.iinfo(integer.to_pandas_dtype()).max)
    return len(str(largest)) - 1
