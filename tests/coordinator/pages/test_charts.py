"""Pictures without scripts and styles of their own, and the same figures as a table."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.pages.charts import bars, per_day
from cape_airflow.coordinator.statistics import Period

PERIOD = Period.ending(datetime(2026, 3, 1, 12, tzinfo=UTC), 3)
SVG = "{http://www.w3.org/2000/svg}"


def names(svg: str) -> set[str]:
    return {part.tag.removeprefix(SVG) for part in ElementTree.fromstring(svg).iter()}  # noqa: S314 - our own


def test_days_are_columns_that_say_what_they_stand_for() -> None:
    chart = per_day("runs", "Runs", PERIOD, {"succeeded": [1, 0, 2000], "failed": [0, 3, 0]})
    assert chart.columns == ("Day", ("succeeded", "number"), ("failed", "number"))
    assert chart.rows == (("2026-02-27", 1, 0), ("2026-02-28", 0, 3), ("2026-03-01", 2000, 0))
    titles = [part.text for part in ElementTree.fromstring(chart.svg).iter(SVG + "title")]  # noqa: S314 - our own
    assert any("2,000" in str(title) for title in titles)


def test_nothing_in_a_picture_runs_or_styles_itself() -> None:
    chart = bars("values", "Values", [("keyed-hash", 7)], "values")
    assert not names(chart.svg) & {"script", "style", "foreignObject", "a"}
    assert "style=" not in chart.svg
    assert "xlink" not in chart.svg
    assert 'aria-hidden="true"' in chart.svg


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=("Cs", "Cc"))), st.integers(0, 2**60)), max_size=12))
def test_any_words_are_text_in_a_picture(counts: list[tuple[str, int]]) -> None:
    chart = bars("values", "Values", counts, "values")
    assert chart.rows == tuple(counts)
    assert not names(chart.svg) & {"script", "style"}


def test_without_figures_it_says_so() -> None:
    assert "nothing yet" in bars("values", "Values", [], "values").svg
    assert "nothing yet" in per_day("runs", "Runs", PERIOD, {"succeeded": [0, 0, 0]}).svg
