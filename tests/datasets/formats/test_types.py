"""Types as users write them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cape_airflow.datasets.formats.types import arrow_type, is_text
from cape_airflow.errors import DatasetError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("int64", pa.int64()),
        ("date32", pa.date32()),
        ("timestamp[us]", pa.timestamp("us")),
        ("timestamp[ms, Europe/Paris]", pa.timestamp("ms", "Europe/Paris")),
        ("timestamp[ns, tz=UTC]", pa.timestamp("ns", "UTC")),
        ("decimal128(10, 2)", pa.decimal128(10, 2)),
        ("decimal256(50,-3)", pa.decimal256(50, -3)),
        (pa.string(), pa.string()),
    ],
)
def test_a_type_is_written_as_arrow_prints_it(text: object, kind: pa.DataType) -> None:
    assert arrow_type(text) == kind


@pytest.mark.parametrize("text", ["", "text", "decimal128(x)", "timestamp[h]"])
def test_other_words_are_no_types(text: str) -> None:
    with pytest.raises(DatasetError, match="there is no type"):
        arrow_type(text)


def test_text_is_text_in_every_layout() -> None:
    layouts = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    assert all(is_text(kind) for kind in layouts)
    assert not any(is_text(kind) for kind in (pa.int64(), pa.binary(), pa.dictionary(pa.int8(), pa.int64())))
