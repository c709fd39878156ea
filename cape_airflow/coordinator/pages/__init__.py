"""The pages, for people: HTML over the same rules as the API, behind the same guard."""

from __future__ import annotations

from fastapi import APIRouter

from cape_airflow.coordinator.pages import assets, projects

ROUTERS: tuple[APIRouter, ...] = (assets.router, projects.router)
