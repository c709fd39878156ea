from __future__ import annotations

from typing import Any

from cape_airflow.coordinator.permissions import PERMISSIONS, Audience


def test_every_route_says_whether_it_asks_for_a_token_for_whom_it_is_and_how_it_refuses(shared_deployment: Any) -> None:
    described = shared_deployment.done("GET", "/v1/openapi.json", shared_deployment.admin)
    operations = {
        (method.upper(), path): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    for place, operation in operations.items():
        asks = PERMISSIONS[place].audience is not Audience.ANYONE
        assert operation.get("security") == ([{"token": []}] if asks else None), place
        assert ("\n\nFor " in operation["description"]) is asks
        assert {"4XX", "503"} <= set(operation["responses"])
    assert operations["GET", "/v1/audit"]["description"].endswith("For admin or auditor.")
    assert operations["POST", "/v1/projects/{label}/keys"]["description"].endswith("For project-owner.")


def test_the_only_refusal_that_is_described_is_ours(shared_deployment: Any) -> None:
    schemas = shared_deployment.done("GET", "/v1/openapi.json", shared_deployment.admin)["components"]["schemas"]
    assert set(schemas["Problem"]["required"]) == {"code", "message", "request_id"}
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)
