"""Questions about Arrow types."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cape_airflow.arrow_types import without_metadata

ITEM = pa.field("item", pa.int64(), metadata={"top": "S3CRET"})
KEY = pa.field("k", pa.string(), nullable=False, metadata={"top": "S3CRET"})


@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.struct([ITEM, KEY]),
        pa.list_(ITEM),
        pa.list_(ITEM, 3),
        pa.large_list(pa.field("x", pa.struct([ITEM]), nullable=False)),
        pa.list_view(ITEM),
        pa.large_list_view(ITEM),
        pa.map_(KEY, ITEM, keys_sorted=True),
        pa.dense_union([ITEM, KEY], [3, 5]),
        pa.sparse_union([ITEM]),
        pa.dictionary(pa.int8(), pa.list_(ITEM), ordered=True),
        pa.run_end_encoded(pa.int16(), pa.struct([ITEM])),
        pa.timestamp("us", "UTC"),
    ],
    ids=str,
)
def test_a_type_without_metadata_is_the_same_but_for_it(kind: pa.DataType) -> None:
    bare = without_metadata(kind)
    assert bare == kind
    assert b"S3CRET" not in pa.schema([("x", bare)]).serialize().to_pybytes()
