"""The audit log, for admins and auditors. Reading it is written down in it, too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from cape_airflow.coordinator.api.paging import Cursor, Page, page
from cape_airflow.coordinator.api.shapes import Answer, Moment
from cape_airflow.coordinator.audit.export import MEDIA_TYPES, Format, export
from cape_airflow.coordinator.audit.log import Wanted, read_log
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import AuditRow

router = APIRouter(prefix="/v1/audit", route_class=GuardedRoute, tags=["audit"])


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a moment between the years 1 and 9999") from None


Name = Annotated[str, Field(min_length=1, max_length=300)]


def _written_out(text: object) -> object:
    """Refuse a count of seconds, which would be taken for a moment in 1970."""
    if isinstance(text, str) and "T" not in text.upper():
        raise ValueError("must be a time as of RFC 3339, e.g. 2026-11-21T12:00:00Z")
    return text


Time = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


class Filter(BaseModel):
    """Which events: of this kind, by this user, in this project, about this target, from and before these moments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Name | None = None
    user: Name | None = None
    project: Name | None = None
    target: Name | None = None
    since: Time | None = None
    until: Time | None = None

    def wanted(self) -> Wanted:
        """Return what is asked for."""
        return Wanted(**{name: getattr(self, name) for name in Filter.model_fields})


class Which(Cursor, Filter):
    """Which events, and which page of them; to follow the log, ask for the oldest first, after the last one seen."""

    order: Literal["newest", "oldest"] = "newest"


class Export(Filter):
    """Which events, and how they are written: as lines of JSON they can be verified, as CSV read."""

    format: Format = "ndjson"


class AuditAnswer(Answer):
    """One event. `seq` orders events; times may jump with the clock of the machine.

    `hash` is SHA-256 over the RFC 8785 canonical JSON of the other fields; `previous` is that of the row before.
    """

    seq: int
    time: Moment
    event: str
    user_id: str | None
    user_email: str | None
    project: str | None
    target_type: str
    target_id: str
    target_label: str | None
    request_id: str | None
    client_address: str | None
    previous: str
    hash: str


@router.get("")
def audit(which: Annotated[Which, Query()], call: CallDep) -> Page[AuditAnswer]:
    """List events."""
    query = read_log(call, which.wanted())
    return page(call.session, query, AuditRow, which, _show, newest_first=which.order == "newest")


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()}}},
)
def export_audit(which: Annotated[Export, Query()], call: CallDep) -> StreamingResponse:
    """Return events as a file, the oldest first, up to the newest at this moment."""
    lines = export(call, which.wanted(), which.format)
    headers = {"Content-Disposition": f'attachment; filename="audit.{which.format}"'}
    return StreamingResponse(lines, headers=headers, media_type=MEDIA_TYPES[which.format])


def _show(row: AuditRow) -> AuditAnswer:
    return AuditAnswer.model_validate(row, from_attributes=True)
