"""The main navigation: which pages stand in it, for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cape_airflow.coordinator.call import Call

HOME = "overview"
"""Where the mark of the product leads to."""

# The name of the page's function, its title, and whether only those see it who see everything.
_PAGES: tuple[tuple[str, str, bool], ...] = (
    ("overview", "Overview", False),
    ("projects", "Projects", False),
    ("jobs", "Jobs", False),
    ("schedulers", "Running elsewhere", False),
    ("tokens", "Tokens", False),
    ("people", "People", True),
    ("audit", "Audit log", True),
    ("settings", "Settings", True),
)


@dataclass(frozen=True)
class Entry:
    """A link of the navigation; `current` where the reader is on it or below it."""

    title: str
    href: str
    current: bool


def entries(call: Call | None, link: Callable[[str], str], here: str) -> Iterator[Entry]:
    """Yield what the caller sees; nothing where nobody is known.

    Args:
        link: returns the address of a page by its name.
        here: the path of the page that is shown.
    """
    for name, title, supervision in _PAGES if call else ():
        href = link(name)
        if call and (call.sees_all or not supervision):
            yield Entry(title, href, here == href or (not href.endswith("/") and here.startswith(f"{href}/")))
