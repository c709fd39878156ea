"""Project keys: made from the system's randomness, versioned, wrapped by the root key; material for workers only."""

from __future__ import annotations

import secrets

from sqlalchemy import Select, select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.store.models import KeyVersion, ProjectKey
from cape_airflow.keys import Secret


def create_key(call: Call, name: str, length: int) -> ProjectKey:
    """Make a key with its first version.

    Args:
        name: as policies name it: ``{ref: NAME}``.
        length: bytes of material: 32 for hashes, 64 for deterministic encryption.

    Raises:
        Problem: 409 where the project has a key of that name.
    """
    if call.session.scalar(_query(call, name)) is not None:
        raise Problem(409, "already-exists", "the project has a key of this name already; rotate it instead")
    key = ProjectKey(
        project_seq=call.project.seq, name=name, length=length, primary=1, created_at=call.now, versions=[]
    )
    _add_version(call, key, 1)
    call.session.add(key)
    call.record(Event.CREATE_KEY, "key", name, f"{name} 1")
    return key


def rotate_key(call: Call, name: str) -> ProjectKey:
    """Make a new version the primary one; tokens of the older versions can still be revealed.

    Raises:
        Problem: 404 where there is no such key.
    """
    key = find_key(call, name)
    key.primary = key.versions[-1].version + 1
    _add_version(call, key, key.primary)
    call.record(Event.ROTATE_KEY, "key", name, f"{name} {key.primary}")
    return key


def read_material(call: Call, name: str) -> tuple[ProjectKey, dict[int, Secret]]:
    """Return a key with the clear material of its versions; that it was read is recorded.

    Raises:
        Problem: 404 where there is no such key.
    """
    key = find_key(call, name)
    unwrap = call.coordinator.root_key.unwrap
    material = {version.version: unwrap(version.wrapped, *_place(call, key, version)) for version in key.versions}
    call.record(Event.READ_KEY, "key", name, f"{name} {key.primary}")
    return key, material


def keys(call: Call) -> Select[ProjectKey]:
    """Return the query of the project's keys."""
    return select(ProjectKey).where(ProjectKey.project_seq == call.project.seq)


def find_key(call: Call, name: str) -> ProjectKey:
    """Return one key of the project.

    Raises:
        Problem: 404 where there is no such key.
    """
    key = call.session.scalar(_query(call, name))
    if key is None:
        raise missing("key")
    return key


def _query(call: Call, name: str) -> Select[ProjectKey]:
    return keys(call).where(ProjectKey.name == name)


def _add_version(call: Call, key: ProjectKey, number: int) -> None:
    version = KeyVersion(version=number, created_at=call.now)
    material = Secret(secrets.token_bytes(key.length))
    version.wrapped = call.coordinator.root_key.wrap(material, *_place(call, key, version))
    key.versions.append(version)


def _place(call: Call, key: ProjectKey, version: KeyVersion) -> tuple[str, ...]:
    return ("project key", call.project.id, key.name, str(version.version))
