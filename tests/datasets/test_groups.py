"""Groups of rows, the same whatever the batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import groups
from cape_airflow.datasets.compactness import is_compact
from cape_airflow.datasets.groups import Groups

ROOMY = 10**6


def regrouped(table: pa.Table, sizes: Sequence[int], room: int = ROOMY) -> Iterator[pa.Table]:
    """Yield the groups of a table that comes in batches of these sizes, and then the rest."""
    taken = Groups(table.schema)
    start = 0
    for size in [*sizes, table.num_rows - sum(sizes)]:
        for batch in table.slice(start, size).combine_chunks().to_batches():
            taken.add(batch)
        start += size
        while (group := taken.next(room)) is not None:
            yield group
    while (group := taken.next(room, at_end=True)) is not None:
        yield group


def people(rows: int) -> pa.Table:
    """Return rows of fixed width, of text with nulls over nothing, and of nested and encoded values."""
    return pa.table(
        {
            "number": pa.array(range(rows), pa.int32()),
            "text": pa.array(["x" * (n % 7 * 40) if n % 4 else None for n in range(rows)], pa.string()),
            "list": pa.array([[n] * (n % 5) for n in range(rows)], pa.list_(pa.int64())),
            "code": pa.array([str(n % 3) for n in range(rows)], pa.string()).dictionary_encode(),
        }
    )


@given(
    sizes=st.lists(st.integers(0, 9), max_size=8),
    most_rows=st.integers(1, 12),
    most_bytes=st.integers(1, 2000),
    step=st.integers(1, 5),
    room=st.integers(1, 30),
)
def test_groups_are_the_same_whatever_the_batches(sizes, most_rows, most_bytes, step, room) -> None:
    table = people(sum(sizes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "GROUP_ROWS", most_rows)
        patch.setattr(groups, "GROUP_BYTES", most_bytes)
        patch.setattr(groups, "STEP_ROWS", step)
        many, one = list(regrouped(table, sizes, room)), list(regrouped(table, [], room))
    assert [group.num_rows for group in many] == [group.num_rows for group in one]
    assert all(a.equals(b) for a, b in zip(many, one, strict=True))
    assert [row for group in many for row in group.to_pylist()] == table.to_pylist()
    assert all(group.schema == table.schema for group in many)
    assert all(group.num_rows <= min(most_rows, room) for group in many)


def test_a_group_has_one_compact_chunk_a_column() -> None:
    for group in regrouped(people(3000).select(["number", "text"]), [7, 1500, 3]):
        assert all(column.num_chunks == 1 and is_compact(column.chunk(0)) for column in group.columns)


def test_text_under_nulls_neither_weighs_nor_stays(monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_BYTES", 1000)
    monkeypatch.setattr(groups, "STEP_ROWS", 1)
    shown = pa.array(["S3CRET" * 400, "x"])
    hidden = pa.Array.from_buffers(pa.string(), 2, [pa.array([False, True]).buffers()[1], *shown.buffers()[1:]])
    (group,) = regrouped(pa.table({"text": hidden}), [])
    assert group.num_rows == 2
    assert group.column(0).nbytes < 100


def test_a_group_of_wide_rows_ends_with_the_step_that_reaches_the_limit(monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_BYTES", 1 << 20)
    table = pa.table({"text": ["x" * 900] * 5000})
    assert [group.num_rows for group in regrouped(table, [])] == [2048, 2048, 904]


def test_a_batch_that_is_a_group_is_not_copied(monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_ROWS", 4096)
    parts = [people(4096).select(["number", "text"]) for _ in range(2)]
    taken = Groups(parts[0].schema)
    for part in parts:
        taken.add(part.to_batches()[0])
        group = taken.next(ROOMY)
        assert group is not None
        for before, after in zip(part.columns, group.columns, strict=True):
            assert before.chunk(0).buffers()[-1].address == after.chunk(0).buffers()[-1].address
