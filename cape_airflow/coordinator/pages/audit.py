"""Page: the audit log, by what is looked for, and as a file."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import Field

from cape_airflow.coordinator.api import audit as api
from cape_airflow.coordinator.api.paging import Cursor
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import pages_router

router = pages_router("/audit")

_LAST_DAY = date.max - timedelta(days=1)


class AuditFilter(Cursor):
    """Which events, and which page of them; both days count, in UTC."""

    event: Annotated[api.Name | None, Blank] = None
    user: Annotated[api.Name | None, Blank] = None
    project: Annotated[api.Name | None, Blank] = None
    target: Annotated[api.Name | None, Blank] = None
    since: Annotated[date | None, Blank] = None
    until: Annotated[date | None, Field(le=_LAST_DAY), Blank] = None

    def asked(self) -> dict[str, Any]:
        """Return the fields of the form as they were sent, without the page."""
        return self.model_dump(mode="json", exclude={"after", "limit"})

    def wanted(self) -> dict[str, Any]:
        """Return what the API is to be asked for."""
        exact = self.model_dump(include={"event", "user", "project", "target"})
        since = _midnight(self.since) if self.since else None
        until = _midnight(self.until + timedelta(days=1)) if self.until else None
        return exact | {"since": since, "until": until}


@router.get("")
def audit(request: Request, call: CallDep, which: Annotated[AuditFilter, Query()]) -> Response:
    """Show what happened, the newest first; that somebody looks is written down, too."""
    wanted = which.wanted()
    return page(
        request,
        call,
        "audit.html",
        rows=api.audit(api.Which(**wanted, after=which.after, limit=which.limit), call),
        events=sorted(Event),
        asked=which.asked(),
        export=api.Export(**wanted).model_dump(mode="json", exclude={"format"}),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
