"""Forms of HTML pages (application/x-www-form-urlencoded) without what a database cannot hold."""

from __future__ import annotations

from urllib.parse import parse_qsl

FORM = "application/x-www-form-urlencoded"
_FIELDS = 1000

Fields = dict[str, list[str]]
"""The fields of a form and their values, in the order in which they were sent."""


def parse_form(body: bytes) -> Fields:
    """Return the fields of a form.

    Raises:
        ValueError: it is not a form of UTF-8 text, has too many fields, or holds a NUL character. The message does not
            show the body.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except ValueError:
        raise ValueError(f"it has more than {_FIELDS} fields") from None
    fields: Fields = {}
    for name, value in pairs:
        if "\x00" in name + value:
            raise ValueError("it holds a NUL character")
        fields.setdefault(name, []).append(value)
    return fields
