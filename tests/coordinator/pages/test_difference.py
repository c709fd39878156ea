from __future__ import annotations

import time

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


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_both_texts_can_be_read_from_their_comparison(before: list[str], after: list[str]) -> None:
    head = "version: 2\nrules:\n  - match: {name: a}\n    actions: [drop]\n"
    texts = [head + "".join(f"# {line}\n" for line in lines) for lines in (before, after)]
    compared = compare(*texts).lines
    for number, without in enumerate(("added", "removed")):
        kept = [line for line in compared if line.kind != without]
        assert [line.text for line in kept] == texts[number].splitlines()
        assert [(line.before, line.after)[number] for line in kept] == list(range(1, len(kept) + 1))


def test_two_long_texts_of_equal_lines_are_compared_at_once() -> None:
    text = "version: 2\nrules:\n  - match: {name: a}\n    actions: [drop]\n" + "#\n" * 20_000
    start = time.process_time()
    compared = compare(f"# old\n{text}# old\n", f"# new\n{text}#\n# new\n")
    assert time.process_time() - start < 10
    assert {line.kind for line in compared.lines} == {"removed", "added"}
