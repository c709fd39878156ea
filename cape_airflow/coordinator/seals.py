"""Seals: what decides cannot be made or changed in the database alone.

Rows that say who may what, and who suggested what, carry an HMAC-SHA-256 (RFC 2104) over the fields that decide, under
a key derived from the root key. Who can write to the database but has no root key can take such a row away, or put an
older state of it back; he cannot make a new one or change one. Fields name other rows by `id`, never by `seq`: numbers
of rows may be exchanged.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.permissions import UserKind
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.root_key import RootKey
from cape_airflow.coordinator.store.models import (
    Base,
    BrowserSession,
    Contributor,
    ExternalIdentity,
    KeyVersion,
    OneTimeLink,
    Password,
    Project,
    ProjectKey,
    Review,
    ReviewRule,
    Revision,
    Sealed,
    Suggestion,
    Token,
    User,
)

log = logging.getLogger(__name__)

_Fields = tuple[str | None, ...]


class Seals:
    """Puts seals on rows and looks at them."""

    def __init__(self, root_key: RootKey) -> None:
        self._key = root_key.derive("seals")

    def put(self, row: Sealed) -> None:
        """Seal a row that the coordinator has made or changed."""
        row.seal = self._of(row)

    def intact(self, row: Sealed) -> bool:
        """Return whether the coordinator has made the row as it is."""
        return hmac.compare_digest(self._of(row), row.seal)

    def check(self, *rows: Sealed) -> None:
        """Refuse rows that somebody else has made or changed.

        Raises:
            Problem: 403 ``tampered``; the log names the row.
        """
        for row in rows:
            if not self.intact(row):
                raise tampered(row)

    def _of(self, row: Sealed) -> bytes:
        fields = json.dumps(["cape-airflow/1", row.__tablename__, *_DECIDING[type(row)](row)])
        return hmac.digest(self._key.reveal(), fields.encode(), "sha256")


def tampered(row: Base) -> Problem:
    """Return the refusal of a row that was edited by hand, and name it in the log."""
    log.error("row %s of table %s was edited by hand; it is refused", row.seq, row.__tablename__)
    return Problem(403, "tampered", "the coordinator's database was edited by hand here; its log says where")


def _of_user(user: User) -> _Fields:
    """Return what decides on a user; of an active person what it was when there were no others."""
    kind = (f"kind={user.kind}",) if user.kind is UserKind.SERVICE else ()
    gone = (f"deactivated={rfc3339(user.deactivated_at)}",) if user.deactivated_at else ()
    return user.id, user.email, user.role, *kind, *gone


def _of_token(token: Token) -> _Fields:
    revoked = rfc3339(token.revoked_at) if token.revoked_at else None
    return token.id, token.user.id, token.secret_digest.hex(), rfc3339(token.expires_at), revoked, token.parent_id


def _of_ticket(row: BrowserSession | OneTimeLink) -> _Fields:
    return row.id, row.user.id, row.secret_digest.hex(), rfc3339(row.expires_at)


def _of_contributor(row: Contributor) -> _Fields:
    # Seals of those who may not reveal are as they were before anybody could.
    return row.project.id, row.user.id, row.role, *(("may reveal",) if row.may_reveal else ())


def _of_revision(row: Revision) -> _Fields:
    of = row.suggestion.id, str(row.number), row.editor.id
    return *of, row.title, row.description, row.policy, row.digest, row.base_digest


def _of_review(row: Review) -> _Fields:
    of = row.suggestion.id, str(row.revision), row.reviewer.id
    via = (f"via={row.via}",) if row.via else ()  # seals of those said here are as before there was elsewhere
    return *of, row.digest, row.verdict, row.role, row.comment, rfc3339(row.created_at), *via


_DECIDING: Mapping[type[Sealed], Callable[[Any], _Fields]] = {
    User: _of_user,
    Token: _of_token,
    Password: lambda row: (row.user.id, row.encoded, rfc3339(row.changed_at)),
    BrowserSession: _of_ticket,
    OneTimeLink: _of_ticket,
    ExternalIdentity: lambda row: (row.issuer, row.subject, row.user.id),
    Project: lambda row: (row.id, row.label),
    Contributor: _of_contributor,
    ProjectKey: lambda row: (row.project.id, row.name, str(row.length), str(row.primary), str(row.rotate_after_days)),
    KeyVersion: lambda row: (row.key.project.id, row.key.name, str(row.version), row.state, rfc3339(row.created_at)),
    Suggestion: lambda row: (row.id, row.project.id, row.author.id, row.digest, row.policy),
    Revision: _of_revision,
    Review: _of_review,
    ReviewRule: lambda row: (row.project.id, json.dumps(row.quorum, sort_keys=True), str(row.valid_days)),
}
