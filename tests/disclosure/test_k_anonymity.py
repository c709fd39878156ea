from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.disclosure import KAnonymity
from cape_airflow.errors import GuaranteeBroken

_rows = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, None])), max_size=30)


@given(_rows, st.integers(2, 4), st.integers(1, 10))
def test_the_measure_is_the_smallest_class_whatever_the_batches(
    rows: list[tuple[str | None, int | None]], k: int, size: int
) -> None:
    measure = KAnonymity(k, ("x", "y"))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        measure.update(
            pa.record_batch(
                {"x": pa.array([x for x, _ in part], pa.string()), "y": pa.array([y for _, y in part], pa.int8())}
            )
        )
    classes = Counter(rows)
    smallest = min(classes.values()) if classes else None
    if smallest is not None and smallest < k:
        with pytest.raises(GuaranteeBroken) as caught:
            measure.check()
        small = [count for count in classes.values() if count < k]
        assert f"{sum(small)} rows are in {len(small)} groups" in str(caught.value)
    else:
        measure.check()


def test_the_message_shows_no_value() -> None:
    measure = KAnonymity(2, ("name",))
    measure.update(pa.record_batch({"name": ["canary-value"]}))
    with pytest.raises(GuaranteeBroken) as caught:
        measure.check()
    assert "canary" not in str(caught.value)


TEXTS = [pa.array(values, pa.string()) for values in (["a", "b"], ["b", "a", None, None], ["a", "b", None])]


def runs(values: pa.Array) -> pa.Array:
    ends = pa.array(range(1, len(values) + 2), pa.int32())
    return pa.RunEndEncodedArray.from_arrays(ends, pa.concat_arrays([values[:1], values])).slice(1)


KINDS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "views": lambda values: values.cast(pa.string_view()),
    "large text": lambda values: values.cast(pa.large_string()),
    "dictionary": lambda values: values.dictionary_encode(),
    "dictionary of views": lambda values: values.cast(pa.string_view()).dictionary_encode(),
    "runs": runs,
    "runs of views": lambda values: runs(values.cast(pa.string_view())),
    "extension": lambda values: pa.ExtensionArray.from_storage(pa.json_(), values),
    "half floats": lambda values: pc.index_in(values, pa.array(["a", "b"])).cast(pa.float16()),
    "wide decimals": lambda values: pc.index_in(values, pa.array(["a", "b"])).cast(pa.decimal256(40, 0)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_kind_are_counted(kind: str) -> None:
    three, four = KAnonymity(3, ("v",)), KAnonymity(4, ("v",))
    for values in TEXTS:
        batch = pa.record_batch({"v": KINDS[kind](values)})
        three.update(batch)
        four.update(batch)
    three.check()
    with pytest.raises(GuaranteeBroken, match="9 rows are in 3 groups"):
        four.check()
