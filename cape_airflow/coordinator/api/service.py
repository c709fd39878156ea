"""What anyone may ask: health, readiness, version, public signing keys; and the description of the API."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request

from cape_airflow import __version__
from cape_airflow.coordinator.api.shapes import Answer
from cape_airflow.coordinator.guard import CallDep, CoordinatorDep, GuardedRoute
from cape_airflow.coordinator.problems import busy
from cape_airflow.coordinator.store.migrate import is_current

router = APIRouter(prefix="/v1", route_class=GuardedRoute, tags=["service"])


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """The process can do its work."""

    status: Literal["ready"] = "ready"


class Version(Answer):
    """Version of cape_airflow."""

    version: str = __version__


class SigningKeyAnswer(Answer):
    """A public key that approvals are signed with: Ed25519, base64url."""

    key_id: str
    public_key: str


class SigningKeys(Answer):
    """All of them, the newest last."""

    items: list[SigningKeyAnswer]


@router.get("/health")
async def health() -> Health:
    """Say that the process answers; the database is not asked."""
    return Health()


@router.get("/ready")
def ready(coordinator: CoordinatorDep) -> Readiness:
    """Say that requests can be sent here: the database answers, and has this version's schema.

    A process that could not open the root key did not start, so that nobody has to ask for it here.
    """
    with coordinator.store.read() as session:
        if not is_current(session.connection()):
            raise busy("the database has another version's schema; bring this program to its version")
    return Readiness()


@router.get("/version")
async def version() -> Version:
    """Say which version this is."""
    return Version()


@router.get("/signing-keys")
async def signing_keys(coordinator: CoordinatorDep) -> SigningKeys:
    """Return the public keys to check approvals with."""
    keys = coordinator.signer.public_keys
    return SigningKeys(items=[SigningKeyAnswer(key_id=key, public_key=public) for key, public in keys.items()])


@router.get("/openapi.json")
def openapi(request: Request, _call: CallDep) -> dict[str, Any]:
    """Return the OpenAPI description, to whoever has a token."""
    description: dict[str, Any] = request.app.openapi()
    return description
