"""The REST API under /v1: shapes of bodies and answers, and routes that hand over to the rules."""

from __future__ import annotations

from fastapi import APIRouter

from cape_airflow.coordinator.api import (
    answers,
    audit,
    jobs,
    keys,
    metrics,
    old_client,
    people,
    policies,
    projects,
    reviews,
    schedulers,
    service,
    suggestions,
)

ROUTERS: tuple[APIRouter, ...] = (
    service.router,
    people.router,
    projects.router,
    suggestions.router,
    reviews.router,
    answers.router,
    policies.router,
    keys.router,
    jobs.router,
    schedulers.router,
    audit.router,
    metrics.router,
    old_client.login_router,
    old_client.query_router,
)
