from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.pages.difference import folded
from cape_airflow.coordinator.review.report import DiffLine, compare


def lines(count: int, changed: int | None = None) -> list[DiffLine]:
    return [
        DiffLine("same", number, number, "x") if number != changed else DiffLine("added", None, number, "x")
        for number in range(1, count + 1)
    ]


def test_equal_texts_have_no_difference() -> None:
    assert folded(lines(9)) == []


def test_three_lines_stand_around_a_change_and_the_rest_is_counted() -> None:
    shown = folded(lines(20, changed=10))
    assert shown[0] == 6
    assert [line.after for line in shown if isinstance(line, DiffLine)] == list(range(7, 14))
    assert shown[-1] == 7


def test_a_line_that_is_spoken_about_is_shown_with_its_surroundings() -> None:
    shown = folded(lines(30, changed=2), {25})
    assert 25 in [line.after for line in shown if isinstance(line, DiffLine)]


@given(st.integers(1, 40), st.integers(1, 40))
def test_every_line_is_shown_or_counted(count: int, changed: int) -> None:
    changed = min(changed, count)
    shown = folded(lines(count, changed))
    assert sum(line if isinstance(line, int) else 1 for line in shown) == count
    assert 1 not in shown


def test_it_takes_the_lines_of_a_comparison() -> None:
    before = "version: 2\nrules:\n  - match: {name: a}\n    actions: [drop]\n"
    compared = compare(before, before.replace("{name: a}", "{name: b}"))
    kinds = [line.kind for line in folded(compared.lines) if isinstance(line, DiffLine)]
    assert kinds == ["same", "same", "removed", "added", "same"]
