"""Project keys."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from cape_airflow.coordinator import project_keys
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Body, KeyName, Line, Moment
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.key_hand_over import Purpose, hand_over, refuse_insecure_transport
from cape_airflow.coordinator.store.models import KeyState, KeyVersion, ProjectKey
from cape_airflow.keys.encoding import to_base64url

router = APIRouter(prefix="/v1/projects/{label}/keys", route_class=GuardedRoute, tags=["keys"])

Period = Annotated[int, Field(ge=1, le=3650)]
"""Days from one rotation to the next."""


class NewKey(Body):
    """The key that is wanted: 32 bytes for hashes, 64 for deterministic encryption."""

    name: KeyName
    bytes: Literal[32, 64] = 32
    rotate_after_days: Period | None = None


class KeyChange(Body):
    """How old the primary version is to grow; null where nobody is to be reminded."""

    rotate_after_days: Period | None


class Confirmation(Body):
    """The name of the key that is to lose a version for ever, typed once more."""

    confirm: str


class Revealing(Body):
    """What tokens are to be turned back for, and of how many rows at most."""

    purpose: Line
    row_limit: Annotated[int, Field(ge=1, le=10**12)]


class VersionAnswer(Answer):
    """One version of a key; the receipt of a destroyed one is what the audit log names it by."""

    version: int
    state: KeyState
    created_at: Moment
    retired_at: Moment | None
    destroyed_at: Moment | None
    receipt: str | None


class KeyAnswer(Answer):
    """What may be known of a key."""

    name: str
    bytes: int
    primary: int
    created_at: Moment
    rotate_after_days: int | None
    rotation_due_at: Moment | None
    near_rotation: bool
    versions: list[VersionAnswer]


class MaterialAnswer(Answer):
    """A key in clear: version number to base64url, of the versions that the worker may use.

    Retired versions only reveal, and are here only for that; destroyed ones are nowhere.
    """

    name: str
    primary: int
    may_reveal: bool
    retired: list[int]
    destroyed: list[int]
    versions: dict[int, str]


@router.post("", status_code=201)
def create_key(label: str, body: NewKey, call: CallDep) -> KeyAnswer:
    """Make a key; nobody ever sees it but workers."""
    return _show(call, project_keys.create_key(call, body.name, body.bytes, body.rotate_after_days))


@router.get("")
def keys(label: str, paging: Paging, call: CallDep) -> Page[KeyAnswer]:
    """List the project's keys, without material."""
    return page(call.session, project_keys.keys(call), ProjectKey, paging, lambda key: _show(call, key))


@router.patch("/{name}")
def update_key(label: str, name: str, body: KeyChange, call: CallDep) -> KeyAnswer:
    """Change the period of rotation."""
    return _show(call, project_keys.set_rotation(call, name, body.rotate_after_days))


@router.post("/{name}/rotate")
def rotate_key(label: str, name: str, call: CallDep) -> KeyAnswer:
    """Make a new version the primary one."""
    return _show(call, project_keys.rotate_key(call, name))


@router.post("/{name}/versions/{version}/retire")
def retire_version(label: str, name: str, version: int, call: CallDep) -> KeyAnswer:
    """Let a version reveal, and make nothing new."""
    return _show(call, project_keys.retire_version(call, name, version).key)


@router.post("/{name}/versions/{version}/destroy")
def destroy_version(label: str, name: str, version: int, body: Confirmation, call: CallDep) -> KeyAnswer:
    """Erase a retired version for ever."""
    return _show(call, project_keys.destroy_version(call, name, version, body.confirm).key)


@router.get("/{name}/material")
def material(label: str, name: str, request: Request, call: CallDep) -> MaterialAnswer:
    """Hand the key to a worker of the project, to be applied, and record it."""
    return _hand_over(name, request, call)


@router.post("/{name}/reveal")
def reveal(label: str, name: str, body: Revealing, request: Request, call: CallDep) -> MaterialAnswer:
    """Hand the key to a worker who may turn tokens back, and record what for."""
    return _hand_over(name, request, call, Purpose(body.purpose, body.row_limit))


def _hand_over(name: str, request: Request, call: Call, reveals: Purpose | None = None) -> MaterialAnswer:
    refuse_insecure_transport(request)
    handed = hand_over(call, name, reveals)
    return MaterialAnswer(
        name=handed.key.name,
        primary=handed.key.primary,
        may_reveal=handed.may_reveal,
        retired=_numbers(handed.key, KeyState.RETIRED),
        destroyed=_numbers(handed.key, KeyState.DESTROYED),
        versions={number: to_base64url(secret.reveal()) for number, secret in handed.material.items()},
    )


def _numbers(key: ProjectKey, state: KeyState) -> list[int]:
    return [version.version for version in key.versions if version.state is state]


def _show(call: Call, key: ProjectKey) -> KeyAnswer:
    call.seals.check(key, *key.versions)
    return KeyAnswer(
        name=key.name,
        bytes=key.length,
        primary=key.primary,
        created_at=key.created_at,
        rotate_after_days=key.rotate_after_days,
        rotation_due_at=project_keys.rotation_due(key),
        near_rotation=project_keys.is_near_rotation(key, call.now),
        versions=[_show_version(version) for version in key.versions],
    )


def _show_version(version: KeyVersion) -> VersionAnswer:
    destroyed = version.state is KeyState.DESTROYED
    return VersionAnswer(
        version=version.version,
        state=version.state,
        created_at=version.created_at,
        retired_at=version.retired_at,
        destroyed_at=version.destroyed_at,
        receipt=project_keys.version_id(version.key, version.version) if destroyed else None,
    )
