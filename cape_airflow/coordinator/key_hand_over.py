"""Handing keys to workers: over a private line only, as far as each may use them, and never a version that ended.

A key is handed over to be applied, or to turn tokens back: for that a worker needs an owner's grant, and says what for
and of how many rows. The audit log has it before the worker has the key.

A seal does not show that an older state of a row was put back. The audit log does: it only grows, and remembers what
was rotated away, retired and destroyed. So it is asked at every hand-over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from sqlalchemy import select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.project_keys import find_key, place, version_id
from cape_airflow.coordinator.seals import tampered
from cape_airflow.coordinator.store.models import AuditRow, Contributor, KeyState, KeyVersion, ProjectKey
from cape_airflow.keys import Secret

_ORDER = list(KeyState)
_ENDS = (Event.RETIRE_KEY, Event.DESTROY_KEY)  # what leads from each state to the next


@dataclass(frozen=True)
class Purpose:
    """What tokens are turned back for.

    Args:
        text: as the worker says it.
        row_limit: the most rows that are revealed; None where he does not say it.
    """

    text: str
    row_limit: int | None = None

    def __str__(self) -> str:
        limit = f"at most {self.row_limit:,} rows: " if self.row_limit is not None else ""
        return f"{limit}{self.text}"


@dataclass(frozen=True)
class HandedKey:
    """A key as one worker gets it.

    Args:
        key: what may be known of it.
        may_reveal: whether it is to turn tokens back; if not, retired versions stay here.
        material: of the versions that the worker gets, by number.
    """

    key: ProjectKey
    may_reveal: bool
    material: dict[int, Secret] = field(repr=False)


def hand_over(call: Call, name: str, reveals: Purpose | None = None) -> HandedKey:
    """Return a key with the clear material that the calling worker may have; that he got it is recorded.

    Args:
        call: of a worker.
        name: of the key.
        reveals: what tokens are to be turned back for; None where the key is to be applied.

    Raises:
        Problem: 404 where there is no such key; 403 ``may-not-reveal``, ``tampered``.
    """
    key = find_key(call, name)
    _refuse_older_states(call, key)
    if reveals is not None and not _may_reveal(call):
        raise Problem(403, "may-not-reveal", "turning tokens back is what an owner of the project must let you do")
    states = {KeyState.ENABLED, KeyState.RETIRED} if reveals else {KeyState.ENABLED}
    material = {version.version: _unwrap(call, version) for version in key.versions if version.state in states}
    label = f"{name} {key.primary}"
    if reveals is None:
        call.record(Event.READ_KEY, "key", name, label)
    else:
        call.record(Event.REVEAL_KEY, "key", name, f"{label}, {reveals}")
    return HandedKey(key, reveals is not None, material)


def refuse_insecure_transport(request: Request) -> None:
    """Refuse a request that others on its way can read: neither TLS nor this machine.

    Behind a proxy, scheme and address are what uvicorn took from the headers of a proxy that it trusts
    (``--forwarded-allow-ips``).

    Raises:
        Problem: 403 ``insecure-transport``.
    """
    if request.url.scheme != "https" and not _is_loopback(request.client.host if request.client else ""):
        raise Problem(403, "insecure-transport", "keys are handed over TLS only, or on the coordinator's own machine")


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _may_reveal(call: Call) -> bool:
    worker = call.session.scalars(
        select(Contributor).where(Contributor.project_seq == call.project.seq, Contributor.user_seq == call.user.seq)
    ).one()
    return worker.may_reveal  # the guard has looked at its seal


def _unwrap(call: Call, version: KeyVersion) -> Secret:
    if version.wrapped is None:
        raise tampered(version)
    return call.coordinator.root_key.unwrap(version.wrapped, *place(version))


def _refuse_older_states(call: Call, key: ProjectKey) -> None:
    """Refuse a key of which the log knows more than its rows do."""
    unheard_of = {(version_id(key, key.primary + 1), Event.ROTATE_KEY)}
    for version in key.versions:
        ends = _ENDS[_ORDER.index(version.state) :]
        unheard_of |= {(version_id(key, version.version), event) for event in ends}
    told = select(AuditRow.target_id, AuditRow.event).where(AuditRow.target_id.in_({id for id, _ in unheard_of}))
    if any((id, event) in unheard_of for id, event in call.session.execute(told)):
        raise tampered(key)
