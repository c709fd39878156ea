"""Page: what runs on other schedulers, with a policy and without."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response

from cape_airflow.coordinator import schedulers as rules
from cape_airflow.coordinator.api import schedulers as api
from cape_airflow.coordinator.api.paging import Cursor
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.reach import may

router = pages_router("/schedulers")


class Elsewhere(api.Which):
    """Which jobs of other schedulers, as a form asks for them."""

    governed: Annotated[Literal["yes", "no"] | None, Blank] = None
    user: Annotated[api.Name | None, Blank] = None
    project: Annotated[api.Name | None, Blank] = None
    scheduler: Annotated[api.Name | None, Blank] = None
    active: Annotated[bool | None, Blank] = None

    def asked(self) -> dict[str, Any]:
        """Return the fields of the form as they were sent, without the page."""
        return self.model_dump(mode="json", exclude={"after", "limit"})


@router.get("")
def schedulers(request: Request, call: CallDep, which: Annotated[Elsewhere, Query()]) -> Response:
    """Show how much work of Spark runs with a policy and how much without, whose it is, and each job."""
    may_see_schedulers = may(call, "GET", "/v1/schedulers")
    lines = api.summary(which, call).items
    return page(
        request,
        call,
        "schedulers.html",
        jobs=api.list_scheduler_jobs(which, call),
        lines=lines,
        governed=sum(line.governed for line in lines),
        ungoverned=sum(line.ungoverned for line in lines),
        schedulers=api.list_schedulers(Cursor(limit=200), call).items if may_see_schedulers else None,
        may_cancel=may(call, "POST", "/v1/schedulers/jobs/{scheduler_job}/cancel"),
        asked=which.asked(),
    )


@router.post("/jobs/{scheduler_job}/cancel")
def cancel_elsewhere(request: Request, scheduler_job: str, call: CallDep) -> Response:
    """Ask for a job to be cancelled, and show the list."""
    rules.ask_cancel(call, scheduler_job)
    return go_to(request, "schedulers")
