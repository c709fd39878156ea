"""Project keys: made from the system's randomness, wrapped by the root key, in versions that only ever lose rights.

The newest version of a key is the primary one, which new tokens are made with. An older one can be retired: it makes
nothing new, and reveals what it has made. A retired one can be destroyed: its material is gone for ever, and with it
whatever only that version could reveal (cryptographic erasure, NIST SP 800-88 section 2.5).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.seals import Seals
from cape_airflow.coordinator.store.models import KeyState, KeyVersion, ProjectKey
from cape_airflow.keys import Secret

SEALED_SINCE = "0006"
"""The schema's revision before which keys had no seals."""

_SOON = timedelta(days=14)


def create_key(call: Call, name: str, length: int, rotate_after_days: int | None = None) -> ProjectKey:
    """Make a key with its first version.

    Args:
        name: as policies name it: ``{ref: NAME}``.
        length: bytes of material: 32 for hashes, 64 for deterministic encryption.
        rotate_after_days: how old the primary version is to grow; None where nobody is to be reminded.

    Raises:
        Problem: 409 where the project has a key of that name.
    """
    if call.session.scalar(_query(call, name)) is not None:
        raise Problem(409, "already-exists", "the project has a key of this name already; rotate it instead")
    key = ProjectKey(
        project=call.project,
        name=name,
        length=length,
        rotate_after_days=rotate_after_days,
        created_at=call.now,
        versions=[],
    )
    _add_version(call, key, 1)
    call.session.add(key)
    call.record(Event.CREATE_KEY, "key", name, f"{name} 1")
    return key


def rotate_key(call: Call, name: str) -> ProjectKey:
    """Make a new version the primary one; tokens of the older versions can still be revealed.

    Raises:
        Problem: 404 where there is no such key; 403 ``tampered``.
    """
    key = find_key(call, name)
    _record(call, Event.ROTATE_KEY, _add_version(call, key, key.versions[-1].version + 1))
    return key


def set_rotation(call: Call, name: str, days: int | None) -> ProjectKey:
    """Say how old the primary version is to grow; None where nobody is to be reminded. Nothing rotates by itself.

    Raises:
        Problem: 404 where there is no such key; 403 ``tampered``.
    """
    key = find_key(call, name)
    key.rotate_after_days = days
    call.seals.put(key)
    period = f"every {days} days" if days else "no period"
    call.record(Event.UPDATE_KEY, "key", name, f"{name}: {period}")
    return key


def retire_version(call: Call, name: str, number: int) -> KeyVersion:
    """Let a version reveal what it has made, and make nothing new.

    Raises:
        Problem: 404 where there is no such version; 409 ``primary-version``, or ``wrong-state`` where it is not
            enabled; 403 ``tampered``.
    """
    version = _find_version(call, name, number)
    if number == version.key.primary:
        raise Problem(409, "primary-version", "this is the primary version; rotate the key first")
    _step(call, version, KeyState.ENABLED, KeyState.RETIRED)
    version.retired_at = call.now
    _record(call, Event.RETIRE_KEY, version)
    return version


def destroy_version(call: Call, name: str, number: int, confirmation: str) -> KeyVersion:
    """Erase a retired version for ever; the audit row is the receipt, and `version_id` what it names.

    Args:
        confirmation: the name of the key once more.

    Raises:
        Problem: 404 where there is no such version; 409 ``not-confirmed``, or ``wrong-state`` where it is not retired;
            403 ``tampered``.
    """
    version = _find_version(call, name, number)
    if confirmation != name:
        raise Problem(409, "not-confirmed", "nothing was destroyed: the confirmation is not the name of the key")
    _step(call, version, KeyState.RETIRED, KeyState.DESTROYED)
    version.wrapped = None
    version.destroyed_at = call.now
    _record(call, Event.DESTROY_KEY, version)
    return version


def rotation_due(key: ProjectKey) -> datetime | None:
    """Return when the key is to be rotated; None where it has no period."""
    if key.rotate_after_days is None:
        return None
    return key.versions[-1].created_at + timedelta(days=key.rotate_after_days)


def is_near_rotation(key: ProjectKey, now: datetime) -> bool:
    """Return whether a rotation is overdue, or due within two weeks or the last quarter of a shorter period."""
    due = rotation_due(key)
    if due is None:
        return False
    return now >= due - min(_SOON, (due - key.versions[-1].created_at) / 4)


def keys(call: Call) -> Select[ProjectKey]:
    """Return the query of the project's keys."""
    return select(ProjectKey).where(ProjectKey.project_seq == call.project.seq)


def find_key(call: Call, name: str) -> ProjectKey:
    """Return one key of the project, its seals seen.

    Raises:
        Problem: 404 where there is no such key; 403 ``tampered``.
    """
    key = call.session.scalar(_query(call, name))
    if key is None:
        raise missing("key")
    call.seals.check(key, *key.versions)
    return key


def version_id(key: ProjectKey, number: int) -> str:
    """Return what the audit log and receipts name a version by: SHA-256 of project, key and number, in hex."""
    named = json.dumps(["cape-airflow/1", key.project.id, key.name, number])
    return hashlib.sha256(named.encode()).hexdigest()


def place(version: KeyVersion) -> tuple[str, ...]:
    """Return where the material of a version is stored; it unwraps nowhere else."""
    return "project key", version.key.project.id, version.key.name, str(version.version)


def seal_all_keys(session: Session, seals: Seals) -> None:
    """Seal the keys of a schema that had no seals for them."""
    for key in session.scalars(select(ProjectKey)):
        for row in (key, *key.versions):
            seals.put(row)


def _query(call: Call, name: str) -> Select[ProjectKey]:
    return keys(call).where(ProjectKey.name == name)


def _find_version(call: Call, name: str, number: int) -> KeyVersion:
    found = [version for version in find_key(call, name).versions if version.version == number]
    if not found:
        raise missing("version of the key")
    return found[0]


def _add_version(call: Call, key: ProjectKey, number: int) -> KeyVersion:
    version = KeyVersion(version=number, state=KeyState.ENABLED, created_at=call.now)
    key.versions.append(version)
    version.wrapped = call.coordinator.root_key.wrap(Secret(secrets.token_bytes(key.length)), *place(version))
    key.primary = number
    for row in (key, version):
        call.seals.put(row)
    return version


def _step(call: Call, version: KeyVersion, before: KeyState, after: KeyState) -> None:
    if version.state is not before:
        raise Problem(409, "wrong-state", f"only what is {before} can be {after}; this version is {version.state}")
    version.state = after
    call.seals.put(version)


def _record(call: Call, event: Event, version: KeyVersion) -> None:
    id = version_id(version.key, version.version)
    call.record(event, "key-version", id, f"{version.key.name} {version.version}")
