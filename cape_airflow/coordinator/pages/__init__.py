"""The pages, for people: HTML over the same rules as the API, behind the same guard."""

from __future__ import annotations

from fastapi import APIRouter

from cape_airflow.coordinator.pages import (
    airflow,
    assets,
    audit,
    contributors,
    editor,
    first_steps,
    jobs,
    keys,
    login,
    overview,
    people,
    policies,
    projects,
    reviewing,
    schedulers,
    settings,
    single_sign_on,
    suggestions,
    tokens,
)

ROUTERS: tuple[APIRouter, ...] = (
    assets.router,
    login.router,
    single_sign_on.router,
    projects.router,
    policies.router,
    suggestions.router,
    reviewing.router,
    editor.router,
    first_steps.router,
    contributors.router,
    jobs.router,
    airflow.router,
    keys.router,
    schedulers.router,
    settings.router,
    tokens.router,
    overview.router,
    people.router,
    audit.router,
)
