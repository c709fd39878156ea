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

from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.root_key import RootKey
from cape_airflow.coordinator.store.models import Contributor, Project, Sealed, Suggestion, Token, User

log = logging.getLogger(__name__)


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
                log.error("row %s of table %s was edited by hand; it is refused", row.seq, row.__tablename__)
                raise Problem(403, "tampered", "the coordinator's database was edited by hand here; its log says where")

    def _of(self, row: Sealed) -> bytes:
        fields = json.dumps(["cape-airflow/1", row.__tablename__, *_deciding(row)])
        return hmac.digest(self._key.reveal(), fields.encode(), "sha256")


def _deciding(row: Sealed) -> tuple[str | None, ...]:
    match row:
        case User():
            return row.id, row.email, row.role
        case Token():
            revoked = rfc3339(row.revoked_at) if row.revoked_at else None
            return row.id, row.user.id, row.secret_digest.hex(), rfc3339(row.expires_at), revoked, row.parent_id
        case Project():
            return row.id, row.label
        case Contributor():
            return row.project.id, row.user.id, row.role
        case Suggestion():
            return row.id, row.project.id, row.author.id, row.digest, row.policy
    raise TypeError(f"rows of {row.__tablename__} have no fields to seal")
