"""From an Airflow connection of type `cape` to what a client needs: address, token and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cape_airflow.errors import CoordinatorError

if TYPE_CHECKING:
    from airflow.sdk import Connection


class ConnectionExtras(BaseModel):
    """The extra fields of a connection; `provider_info` describes each for the form.

    Args:
        scheme: https, or http to this machine.
        allow_http: take http to another machine as well.
        path_prefix: e.g. ``/cape`` for the coordinator inside Airflow's API server.
        ca_bundle: path of a PEM file of certificate authorities to trust instead of the system's.
        signing_keys: public Ed25519 keys that approvals must be signed with, base64url, separated by commas.
        deadline: seconds that one call may take, retries included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: Literal["https", "http"] = "https"
    allow_http: bool = False
    path_prefix: str = ""
    ca_bundle: str = ""
    signing_keys: str = ""
    deadline: float = Field(default=30.0, ge=1)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any, info: Any) -> Any:
        """Take the form's null, for a field that was left empty, as the default."""
        return cls.model_fields[info.field_name].default if value is None else value


def client_options(connection: Connection) -> dict[str, Any]:
    """Return the arguments of a coordinator client.

    Raises:
        CoordinatorError: the connection cannot be used; names the field, and shows nothing of its value.
    """
    name = f"connection `{connection.conn_id}`"
    try:
        extras = ConnectionExtras.model_validate(connection.extra_dejson)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise CoordinatorError(f"{name}: extra `{wrong['loc'][0]}` is wrong: {wrong['msg']}") from None
    if not connection.password:
        raise CoordinatorError(f"{name} has no API token; put one into its password (cape tokens create)")
    return {
        "base_url": _base_url(connection, extras, name),
        "token": connection.password,
        "deadline": extras.deadline,
        "verify": extras.ca_bundle or True,
        "signing_keys": [key.strip() for key in extras.signing_keys.split(",")] if extras.signing_keys else None,
        "allow_http": extras.allow_http,
    }


def _base_url(connection: Connection, extras: ConnectionExtras, name: str) -> str:
    host = connection.host or ""
    if not host or set("/@?#") & set(host):
        raise CoordinatorError(f"{name}: the host is a name such as cape.example.com, without scheme, port and path")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"  # IPv6
    port = f":{connection.port}" if connection.port else ""
    prefix = extras.path_prefix.strip("/")
    return f"{extras.scheme}://{host}{port}" + (f"/{prefix}" if prefix else "")
