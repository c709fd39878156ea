from __future__ import annotations

from collections import Counter

import pyarrow as pa
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
    assert measure.smallest() == smallest
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


@pytest.mark.parametrize("kind", [pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.large_string()])
def test_text_of_every_kind_is_counted(kind: pa.DataType) -> None:
    measure = KAnonymity(3, ("v",))
    for values in (["a", "b"], ["b", "a", None, None], ["a", "b", None]):
        measure.update(pa.record_batch({"v": pa.array(values, pa.string()).cast(kind)}))
    measure.check()
    assert measure.smallest() == 3
