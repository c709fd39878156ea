"""Charts for people who would rather look than read: inline SVG drawn by pygal, and the same figures as a table.

What pygal adds for browsers is taken out again: scripts, styles and what its scripts would need. Colours come from the
pages' style sheet, so that they fit a light and a dark page, and the content security policy allows nothing inline.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import SubElement

from markupsafe import Markup
from pygal import Config, HorizontalBar, StackedBar
from pygal.etree import etree

from cape_airflow.coordinator.statistics import PerDay, Period

_WIDTH, _HEIGHT = 520, 240
_MOST_BARS = 10
_FOR_SCRIPTS = {"script", "style", "desc"}

# pygal leaves an import hook of Python 2's kind behind, of which Python complains whenever a module is not found.
sys.meta_path[:] = [hook for hook in sys.meta_path if hasattr(hook, "find_spec")]

etree.to_etree()  # the standard library's, whether lxml is installed or not: `_without_inline` is written for it


@dataclass(frozen=True)
class Chart:
    """A picture and what it shows.

    Args:
        name: for the style sheet, which gives each series its colour.
        title: for people.
        svg: the picture; hidden from screen readers, which read the table.
        columns, rows: the same as a table; columns as the macro `table` takes them.
    """

    name: str
    title: str
    svg: Markup
    columns: tuple[str | tuple[str, str], ...]
    rows: tuple[tuple[str | int, ...], ...]


def per_day(name: str, title: str, period: Period, counts: PerDay) -> Chart:
    """Return a column for every day, stacked by what is counted."""
    drawn = StackedBar(_config(show_legend=len(counts) > 1, minor_labels=False))
    drawn.x_labels = [f"{day.day} {day:%b}" for day in period.days]
    drawn.x_labels_major_count = 5
    something = any(any(numbers) for numbers in counts.values())
    for kind, numbers in counts.items():
        drawn.add(kind, list(numbers) if something else [])
    rows = tuple(zip((day.isoformat() for day in period.days), *counts.values(), strict=True))
    return Chart(name, title, _svg(drawn), ("Day", *((kind, "number") for kind in counts)), rows)


def bars(name: str, title: str, counts: Sequence[tuple[str, int]], unit: str) -> Chart:
    """Return a bar for each of the first ten counts, the first at the top."""
    shown = counts[:_MOST_BARS]
    drawn = HorizontalBar(_config(show_legend=False, minor_labels=True))
    drawn.x_labels = [label for label, _ in reversed(shown)]
    drawn.add(unit, [count for _, count in reversed(shown)])
    return Chart(name, title, _svg(drawn), ("Technique", (unit, "number")), tuple(counts))


def _config(*, show_legend: bool, minor_labels: bool) -> Config:
    return Config(
        width=_WIDTH,
        height=_HEIGHT,
        margin=12,
        show_legend=show_legend,
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        legend_box_size=10,
        show_minor_x_labels=minor_labels,
        truncate_label=28,
        include_x_axis=True,
        min_scale=2,
        max_scale=5,
        value_formatter=lambda count: f"{count:,.0f}",
        no_data_text="nothing yet",
        disable_xml_declaration=True,
        js=(),
        css=(),
        no_prefix=True,
        title=None,
    )


def _svg(drawn: Any) -> Markup:
    drawn.add_xml_filter(_without_inline)
    return Markup(drawn.render(is_unicode=True))  # noqa: S704 - made by an XML writer, which escapes


def _without_inline(root: Any) -> Any:
    """Return the drawing without scripts, styles and comments, its bars labelled, hidden from screen readers."""
    for bar in root.iter("g"):
        if bar.get("class") == "bar":
            label = ": ".join(part.text or "" for part in bar.iter("desc") if part.get("class") in ("x_label", "value"))
            SubElement(bar, "title").text = label
    for parent in list(root.iter()):
        parent.attrib.pop("style", None)
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in _FOR_SCRIPTS:
                parent.remove(child)
    root.remove(root.find("title"))  # "Pygal"
    root.attrib.pop("id")
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return root
