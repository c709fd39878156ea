"""The audit log, for admins."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Moment
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import AuditRow

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["audit"])


class AuditAnswer(Answer):
    """One event. `seq` orders events; times may jump with the clock of the machine."""

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


@router.get("/audit")
def audit(paging: Paging, call: CallDep) -> Page[AuditAnswer]:
    """List events, the newest first."""
    return page(call.session, select(AuditRow), AuditRow, paging, _show, newest_first=True)


def _show(row: AuditRow) -> AuditAnswer:
    return AuditAnswer.model_validate(row, from_attributes=True)
