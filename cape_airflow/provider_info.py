"""What Airflow learns about this provider: the entry point `apache_airflow_provider` calls `get_provider_info`."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Cape"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's `provider_info.schema.json` defines it; imports nothing."""
    return {
        "package-name": "cape-airflow",
        "name": _INTEGRATION,
        "description": "De-identify columns under reviewed, approved policies.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://github.com/capeprivacy/cape_airflow/tree/main/docs",
                "tags": ["service"],
            }
        ],
        "connection-types": [_CONNECTION_TYPE],
        "hooks": _modules("cape_airflow.hooks.cape"),
        "operators": _modules(
            "cape_airflow.operators.approval",
            "cape_airflow.operators.reveal",
            "cape_airflow.operators.spark",
            "cape_airflow.operators.suggest",
            "cape_airflow.operators.transform",
            "cape_airflow.operators.verify",
        ),
        "sensors": _modules("cape_airflow.sensors.approval"),
        "notifications": ["cape_airflow.notifications.approval.CapeApprovalOverdueNotifier"],
        "triggers": _modules("cape_airflow.triggers.approval", "cape_airflow.triggers.spark"),
        "task-decorators": [
            {"name": "cape_transform", "class-name": "cape_airflow.decorators.transform.cape_transform_task"}
        ],
        "extra-links": [
            "cape_airflow.links.pages.CapeJobLink",
            "cape_airflow.links.pages.CapePolicyLink",
            "cape_airflow.links.pages.CapeReviewLink",
            "cape_airflow.operators.spark_links.SparkUILink",
            "cape_airflow.operators.spark_links.SparkHistoryLink",
        ],
        "plugins": [{"name": "cape", "plugin-class": "cape_airflow.plugins.cape.CapePlugin"}],
        "config": {"cape": _CONFIG},
    }


def _modules(*modules: str) -> list[dict[str, Any]]:
    return [{"integration-name": _INTEGRATION, "python-modules": list(modules)}]


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


_CONNECTION_TYPE = {
    "connection-type": "cape",
    "hook-class-name": "cape_airflow.hooks.cape.CapeHook",
    "hook-name": "Cape coordinator",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login"],
        "relabeling": {"password": "API token"},
        "placeholders": {
            "host": "cape.example.com (a name, not a URL)",
            "port": "443",
            "password": "<token id>,<secret>, from: cape tokens create",
        },
    },
    # Airflow masks extras by their name, not by their format: nothing secret may stand here.
    "conn-fields": {
        "scheme": _field(
            "Scheme",
            "http is refused for another machine, unless plain http is allowed below.",
            type="string",
            enum=["https", "http"],
            default="https",
        ),
        "allow_http": _field(
            "Allow plain http",
            "Send the token unencrypted to another machine: only inside a network that you trust.",
            type="boolean",
            default=False,
        ),
        "path_prefix": _field(
            "Path prefix", "/cape for the coordinator inside Airflow's API server.", type=["string", "null"]
        ),
        "ca_bundle": _field(
            "CA bundle",
            "Path of a PEM file of the authorities to trust, instead of the system's.",
            type=["string", "null"],
        ),
        "signing_keys": _field(
            "Pinned signing keys",
            "Public Ed25519 keys (base64url, separated by commas) that approvals must be signed with. "
            "Empty: those that the coordinator names.",
            type=["string", "null"],
        ),
        "deadline": _field(
            "Deadline (s)", "Longest time one call may take, retries included.", type="number", default=30, minimum=1
        ),
    },
}


def _option(description: str, type_: str, default: str, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": type_,
        "example": example,
        "default": default,
    }


_CONFIG = {
    "description": "Options of the cape_airflow provider.",
    "options": {
        "embedded": _option(
            "Serve a coordinator at /cape of the API server, with an SQLite database of its own.",
            "boolean",
            "True",
            "False",
        ),
        "home": _option(
            "Folder of the embedded coordinator's database and root key. Empty: the folder cape in AIRFLOW_HOME.",
            "string",
            "",
            "/var/lib/cape",
        ),
        "deployment": _option(
            "Name of this Airflow among those that share a coordinator, the same on all its machines: part of the "
            "identity of its jobs. Empty: [api] base_url.",
            "string",
            "",
            "analytics-production",
        ),
        "outbox": _option(
            "Folder where a worker keeps job reports that could not be delivered. Empty: the folder outbox in home.",
            "string",
            "",
            "/var/spool/cape",
        ),
        "pages_url": _option(
            "Where browsers find the pages of the coordinator behind cape_default, with embedded = False: Privacy in "
            "the navigation and the links of tasks lead there. Empty: no page in the navigation, and tasks link to the "
            "address of their connection.",
            "string",
            "",
            "https://cape.example.com",
        ),
    },
}
