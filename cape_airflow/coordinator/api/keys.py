"""Project keys."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from cape_airflow.coordinator import project_keys
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, KeyName, Moment
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import ProjectKey
from cape_airflow.keys.encoding import to_base64url

router = APIRouter(prefix="/v1/projects/{label}/keys", route_class=GuardedRoute, tags=["keys"])


class NewKey(Body):
    """The key that is wanted: 32 bytes for hashes, 64 for deterministic encryption."""

    name: KeyName
    bytes: Literal[32, 64] = 32


class VersionAnswer(Answer):
    """One version of a key."""

    version: int
    created_at: Moment


class KeyAnswer(Answer):
    """What may be known of a key."""

    name: str
    primary: int
    versions: list[VersionAnswer]


class MaterialAnswer(Answer):
    """A key in clear: version number to base64url."""

    name: str
    primary: int
    versions: dict[int, str]


@router.post("", status_code=201)
def create_key(label: str, body: NewKey, call: CallDep) -> KeyAnswer:
    """Make a key; nobody ever sees it but workers."""
    return _show(project_keys.create_key(call, body.name, body.bytes))


@router.get("")
def keys(label: str, paging: Paging, call: CallDep) -> Page[KeyAnswer]:
    """List the project's keys, without material."""
    return page(call.session, project_keys.keys(call), ProjectKey, paging, _show)


@router.post("/{name}/rotate")
def rotate_key(label: str, name: str, call: CallDep) -> KeyAnswer:
    """Make a new version the primary one."""
    return _show(project_keys.rotate_key(call, name))


@router.get("/{name}/material")
def material(label: str, name: str, call: CallDep) -> MaterialAnswer:
    """Hand the key to a worker of the project, and record it."""
    key, versions = project_keys.read_material(call, name)
    written = {number: to_base64url(secret.reveal()) for number, secret in versions.items()}
    return MaterialAnswer(name=key.name, primary=key.primary, versions=written)


def _show(key: ProjectKey) -> KeyAnswer:
    versions = [VersionAnswer(version=row.version, created_at=row.created_at) for row in key.versions]
    return KeyAnswer(name=key.name, primary=key.primary, versions=versions)
