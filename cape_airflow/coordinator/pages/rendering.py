"""From what the rules return to HTML: the environment of the templates, and addresses of pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from cape_airflow import __version__
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.pages.assets import ASSETS
from cape_airflow.coordinator.pages.navigation import HOME, entries
from cape_airflow.coordinator.reach import may


def page(request: Request, call: Call | None, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page.

    Args:
        call: who asks; None on pages that tell of a failure, where nobody may be known.
        name: of the template.
        status: HTTP status.
        context: what the template shows; a name that it misses is an error.
    """
    body = _TEMPLATES.get_template(name).render(_frame(request, call) | {"status": status} | context)
    return HTMLResponse(body, status)


def link(request: Request, name: str, /, **parameters: str) -> str:
    """Return the address of a page by the name of its function, under the path where the app is mounted."""
    root: str = request.scope.get("root_path", "")
    return root + str(request.app.url_path_for(f"page:{name}", **parameters))


def _frame(request: Request, call: Call | None) -> dict[str, Any]:
    def to(name: str, /, **parameters: str) -> str:
        return link(request, name, **parameters)

    return {
        "call": call,
        "link": to,
        "asset": lambda file: to("asset", digest=ASSETS[file].digest, name=file),
        "home": to(HOME),
        "navigation": entries(call, to, request.scope["path"]),
        **({"may": partial(may, call)} if call else {}),
        "version": __version__,
    }


def _moment(when: datetime) -> str:
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def _filled(parameters: Mapping[str, object]) -> dict[str, object]:
    """Leave out what is empty, so that addresses say only what is asked for."""
    return {name: value for name, value in parameters.items() if value not in {None, ""}}


_TEMPLATES = Environment(
    loader=PackageLoader("cape_airflow.coordinator.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"moment": _moment, "rfc3339": rfc3339, "filled": _filled}
