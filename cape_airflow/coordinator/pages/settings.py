"""Page: what the coordinator runs with; never a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getdoc
from pathlib import Path
from typing import Literal, get_origin

from fastapi import Request, Response

from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.settings import Settings

router = pages_router("/settings")

_HARMLESS = (bool, int, float, Path)
_ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.+(?:\n {6,}.+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """A setting, as it may be shown.

    Args:
        variable: of the environment.
        value: for people; of texts, which may hold a secret, only whether there is one.
        given: it is not the default.
    """

    variable: str
    value: str
    about: str
    given: bool


@router.get("")
def settings(request: Request, call: CallDep) -> Response:
    """Show the settings, and what they are for."""
    running = call.coordinator.settings
    url = running.database.set(query={})
    database = url.render_as_string(hide_password=True)
    return page(request, call, "settings.html", settings=list(shown(running)), database=database, now=call.now)


def shown(running: Settings) -> Iterator[Setting]:
    """Yield every setting; only numbers, switches, paths and words of a fixed choice are shown as they are."""
    about = _described()
    for name, field in type(running).model_fields.items():
        value = getattr(running, name)
        plain = isinstance(value, _HARMLESS) or get_origin(field.annotation) is Literal
        written = str(value) if plain else "none" if value in (None, (), "") else "not shown"
        yield Setting(f"CAPE_{name.upper()}", written, about.get(name, ""), name in running.model_fields_set)


def _described() -> dict[str, str]:
    """Return what the documentation of `Settings` says of each."""
    found = _ENTRY.findall(getdoc(Settings) or "")
    return {name: " ".join(text.replace("`", "").split()) for names, text in found for name in names.split(", ")}
