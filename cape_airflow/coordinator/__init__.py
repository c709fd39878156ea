"""The service that decides which policy text counts: people, review, signed approvals, project keys, jobs, audit.

It never sees a data value and never runs an engine.
"""

from __future__ import annotations

from importlib.util import find_spec

from cape_airflow.errors import MissingExtra

for _package in ("alembic", "fastapi", "filelock", "graphql", "pydantic_settings", "sqlalchemy", "uvicorn"):
    if find_spec(_package) is None:
        raise MissingExtra(_package, "coordinator")
