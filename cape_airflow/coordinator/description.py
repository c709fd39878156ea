"""How the API describes itself (OpenAPI 3.1): its routes, and from the permission table who may call them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from cape_airflow.coordinator.permissions import PERMISSIONS, Audience, Rule

_REFUSED: dict[str, Any] = {
    "description": "Refused: `code` is for programs, `message` for people and without anything that was sent.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("code", "message", "request_id")},
    "required": ["code", "message", "request_id"],
}
_TOKEN = {"type": "http", "scheme": "bearer", "description": "An API token: `<id>,<secret>`."}
_FOREIGN = ("HTTPValidationError", "ValidationError")  # FastAPI's refusals, which look different from ours


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of all routes under ``/v1``; it is made once."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        parts = document["components"]
        parts["schemas"] = {name: schema for name, schema in parts["schemas"].items() if name not in _FOREIGN}
        parts["schemas"]["Problem"] = _PROBLEM
        parts["securitySchemes"] = {"token": _TOKEN}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(operation, PERMISSIONS[method.upper(), path])
    return app.openapi_schema or {}


def _complete(operation: dict[str, Any], rule: Rule) -> None:
    operation["responses"].pop("422", None)
    operation["responses"] |= {"4XX": _REFUSED, "503": _REFUSED}
    if rule.audience is not Audience.ANYONE:
        operation["security"] = [{"token": []}]
        operation["description"] = f"{operation['description']}\n\nFor {_audience(rule)}."


def _audience(rule: Rule) -> str:
    """Return in words whom a rule lets pass."""
    if rule.audience is not Audience.PROJECT:
        return f"{rule.audience}{' or auditor' * (rule.auditor and rule.audience is Audience.ADMIN)}"
    everywhere = ["admin"] * rule.admin + ["auditor"] * rule.auditor
    return ", ".join([*sorted(rule.roles), *everywhere])
