"""Text as the bytes that hashes and ciphers take.

Canonical text, so that equal values meet whatever type carries them: integers in decimal, dates in ISO 8601,
booleans ``true`` and ``false``, decimals in plain notation without trailing zeros (5.00 is ``5``).
"""

from __future__ import annotations

import codecs

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.kernels.refusal import refusing


def is_text(column_type: pa.DataType) -> bool:
    """Whether the type is string, large_string or string_view."""
    types = pa.types
    return bool(types.is_string(column_type) or types.is_large_string(column_type) or types.is_string_view(column_type))


def is_large(column_type: pa.DataType) -> bool:
    """Whether the type is large_string or large_binary, whose offsets have 64 bits."""
    return bool(pa.types.is_large_string(column_type) or pa.types.is_large_binary(column_type))


def is_bytes(column_type: pa.DataType) -> bool:
    """Whether the type holds bytes, in any of Arrow's layouts."""
    types = pa.types
    layouts = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(holds(column_type) for holds in layouts)


def has_canonical_text(column_type: pa.DataType) -> bool:
    """Whether equal values of the type have one text: text, integers, dates, decimals and booleans."""
    types = pa.types
    return (
        is_text(column_type)
        or types.is_integer(column_type)
        or types.is_date(column_type)
        or types.is_decimal(column_type)
        or types.is_boolean(column_type)
    )


def text_type(column_type: pa.DataType) -> pa.DataType:
    """Return the text type that comes out for a column: large types give large_string, all others string."""
    return pa.large_string() if is_large(column_type) else pa.string()


def without_views(column_type: pa.DataType) -> pa.DataType:
    """Return string for string_view and binary for binary_view, on which Arrow can do little; others as they are."""
    if pa.types.is_string_view(column_type):
        return pa.string()
    return pa.binary() if pa.types.is_binary_view(column_type) else column_type


def bytes_type(column_type: pa.DataType) -> pa.DataType:
    """Return the type that holds the bytes of a text column: large_binary for large types, else binary."""
    return pa.large_binary() if is_large(column_type) else pa.binary()


def checked_text(array: pa.Array) -> pa.Array:
    """Return text as string or large_string, once it is known to be UTF-8.

    Raises:
        ValueRefused: some values are not.
    """
    plain = array.cast(text_type(array.type))
    return refusing(_validated, plain, "not valid UTF-8; repair the source, or drop the column")


def canonical_text(array: pa.Array) -> pa.Array:
    """Return the canonical text (see the module) of any array for which `has_canonical_text` holds.

    Raises:
        ValueRefused: text that is not UTF-8.
    """
    if is_text(array.type):
        return checked_text(array)
    if pa.types.is_decimal(array.type):
        return _plain_decimals(array)
    if pa.types.is_date64(array.type):
        return array.cast(pa.date32(), safe=False).cast(pa.string())
    return array.cast(pa.string())


def written(array: pa.Array) -> pa.Array:
    """Return canonical text where there is one, bytes as they are, and of other plain types what Arrow writes.

    Raises:
        ValueRefused: text that is not UTF-8.
    """
    if has_canonical_text(array.type):
        return canonical_text(array)
    if is_bytes(array.type):
        return array.cast(bytes_type(array.type))
    return array.cast(pa.string())


def encode(array: pa.Array, encoding: str) -> pa.Array:
    """Return text as the bytes of a Python text encoding.

    Raises:
        ValueRefused: text that is not UTF-8, or that the encoding has no bytes for.
    """

    def encoded(part: pa.Array) -> pa.Array:
        if _is_utf_8(encoding):
            return part.cast(bytes_type(part.type))
        values = [None if text is None else text.encode(encoding) for text in part.to_pylist()]
        return pa.array(values, bytes_type(part.type))

    return refusing(encoded, checked_text(array), f"not to be written in {encoding}; choose another `encoding`")


def decode(array: pa.Array, encoding: str) -> pa.Array:
    """Return bytes as text; the inverse of `encode`.

    Raises:
        ValueRefused: bytes that are no text in that encoding.
    """

    def decoded(part: pa.Array) -> pa.Array:
        if _is_utf_8(encoding):
            return part.cast(text_type(part.type))
        texts = [None if value is None else value.decode(encoding) for value in part.to_pylist()]
        return pa.array(texts, text_type(part.type))

    return refusing(decoded, array, f"not text in {encoding}; give the `encoding` that they were made with")


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def _validated(array: pa.Array) -> pa.Array:
    array.validate(full=True)
    return array


def _plain_decimals(array: pa.Array) -> pa.Array:
    """Return decimals without exponent and trailing zeros; Arrow writes those with exponents that Python does."""
    text = array.cast(pa.string())
    if array.type.scale > 0:
        text = pc.ascii_rtrim(pc.ascii_rtrim(text, "0"), ".")
    has_exponent = pc.match_substring(text, "E")
    if pc.any(has_exponent).as_py():
        plain = [_plain(f"{value:f}") for value in array.filter(has_exponent).to_pylist()]
        text = pc.replace_with_mask(text, has_exponent, pa.array(plain, pa.string()))
    return text


def _plain(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
