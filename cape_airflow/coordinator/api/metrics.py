"""Metrics, for the monitoring of admins and auditors."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.metrics import Metrics

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.get("/metrics")
def metrics(request: Request, _call: CallDep) -> Response:
    """Return the metrics in Prometheus' text format."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE_LATEST)
