"""A route that answers with HTML: behind the same guard as the API, with failures as readable pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from cape_airflow.coordinator.guard import GuardedRoute, Handler
from cape_airflow.coordinator.pages.rendering import link, page
from cape_airflow.coordinator.problems import Problem

_TITLES = {
    403: "You may not do this",
    404: "There is no such page",
    409: "Something changed meanwhile",
    422: "Something is not filled in as it should be",
    503: "Please try again in a moment",
}


class PageRoute(GuardedRoute):
    """A guarded route for people. Its name is ``page:`` and that of its function; see `rendering.link`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **{**more, "name": f"page:{endpoint.__name__}"})

    def get_route_handler(self) -> Handler:
        """Return the handler; what it refuses is said on a page, except who is not signed in."""
        handle = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                if error.status_code == 401:
                    raise
                return _problem(request, error)
            except RequestValidationError as error:
                return _problem(request, Problem(422, "invalid", "; ".join(_complaints(error))))

        return readable


def pages_router(prefix: str = "") -> APIRouter:
    """Return a router for pages; no part of the API's description."""
    return APIRouter(prefix=prefix, route_class=PageRoute, include_in_schema=False, default_response_class=HTMLResponse)


def go_to(request: Request, name: str, /, **parameters: str) -> RedirectResponse:
    """Return the answer to a form that did what was asked: look at the page of that name (303)."""
    return RedirectResponse(link(request, name, **parameters), 303)


def _problem(request: Request, error: HTTPException) -> Response:
    code = error.code if isinstance(error, Problem) else "refused"
    answer = page(
        request,
        None,
        "problem.html",
        status=error.status_code,
        title=_TITLES.get(error.status_code, "This did not work"),
        message=str(error.detail),
        code=code,
        request_id=request.state.request_id,
    )
    answer.headers.update(error.headers or {})
    return answer


def _complaints(error: RequestValidationError) -> list[str]:
    """Return what is wrong, by the names of our own fields, without what was sent."""
    return [f"{item['loc'][-1]}: {_reason(item)}" for item in error.errors()]


def _reason(item: dict[str, Any]) -> str:
    return str(item["ctx"]["error"] if item["type"] == "value_error" else item["msg"])
