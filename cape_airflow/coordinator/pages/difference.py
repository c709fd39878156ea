"""A difference of two texts as people read one: changed lines with a few around them, and what is said about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from cape_airflow.coordinator.review.report import DiffLine

_CONTEXT = 3


def folded(lines: Sequence[DiffLine], shown: Collection[int | None] = ()) -> list[DiffLine | int]:
    """Return the changed lines with three around them; a number stands for so many that stay and are not shown.

    Args:
        lines: all lines of both texts.
        shown: numbers of lines of the new text that are shown even where nothing changes.

    Returns:
        Nothing where the texts are the same.
    """
    if all(line.kind == "same" for line in lines):
        return []
    near = [index for index, line in enumerate(lines) if line.kind != "same" or line.after in shown]
    return list(_with_gaps(lines, {index + step for index in near for step in range(-_CONTEXT, _CONTEXT + 1)}))


def _with_gaps(lines: Sequence[DiffLine], kept: Collection[int]) -> Iterator[DiffLine | int]:
    for shown, run in groupby(enumerate(lines), lambda entry: entry[0] in kept):
        found = [line for _, line in run]
        if shown or len(found) == 1:  # to say that one line is hidden takes a line, too
            yield from found
        else:
            yield len(found)
