"""Idempotency-Key: a POST that is sent again with the same key and body gets the first answer, and does nothing.

Answers are kept for a day, per token, wrapped by the root key: one of them holds an API token in clear.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy import delete, select

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store import insert_if_absent
from cape_airflow.coordinator.store.models import Replay, Token
from cape_airflow.keys import Secret

_KEPT = timedelta(days=1)
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True)
class IdempotencyKey:
    """The client's name for one logical POST, and what it asks for.

    Args:
        name: the header's value.
        fingerprint: SHA-256 over method, path and body.
    """

    name: str
    fingerprint: bytes

    @classmethod
    def of(cls, request: Request, body: bytes) -> IdempotencyKey | None:
        """Return the key of the request, or None where it has none.

        Raises:
            Problem: 400 where it is not 1 to 200 printable ASCII characters.
        """
        name = request.headers.get("idempotency-key")
        if name is None or request.method != "POST":
            return None
        if not _KEY.fullmatch(name):
            raise Problem(400, "bad-request", "Idempotency-Key must be 1 to 200 printable ASCII characters")
        asked = f"{request.method} {request.scope['path']}\n".encode() + body
        return cls(name, hashlib.sha256(asked).digest())


def earlier_answer(call: Call, key: IdempotencyKey) -> Response | None:
    """Return the answer that was given to this key before, or take the key for this transaction.

    A second request with the key waits for the transaction of the first.

    Raises:
        Problem: 409 where the key was used for another request; 400 where the caller has no API token.
    """
    session, token = call.session, _token(call)
    session.execute(delete(Replay).where(Replay.token_seq == token.seq, Replay.created_at < call.now - _KEPT))
    if insert_if_absent(
        session,
        Replay,
        token_seq=token.seq,
        key=key.name,
        fingerprint=key.fingerprint,
        created_at=call.now,
        status=0,  # status and answer follow in this transaction: nobody ever sees the row without them
        wrapped=b"",
    ):
        return None
    earlier = _find(call, key)
    if earlier.fingerprint != key.fingerprint:
        raise Problem(409, "idempotency-mismatch", "this Idempotency-Key was used for another request; take a new one")
    answer = call.coordinator.root_key.unwrap(earlier.wrapped, *place(token, key.name))
    return Response(answer.reveal(), earlier.status, media_type="application/json")


def keep_answer(call: Call, key: IdempotencyKey, response: Response) -> None:
    """Write the answer beside its key, in the transaction of the effect."""
    taken = _find(call, key)
    taken.status = response.status_code
    taken.wrapped = call.coordinator.root_key.wrap(Secret(bytes(response.body)), *place(_token(call), key.name))


def place(token: Token, name: str) -> tuple[str, ...]:
    """Return where the answer to a key is stored; it unwraps nowhere else."""
    return "answer", token.id, name


def _find(call: Call, key: IdempotencyKey) -> Replay:
    query = select(Replay).where(Replay.token_seq == _token(call).seq, Replay.key == key.name)
    return call.session.scalars(query).one()


def _token(call: Call) -> Token:
    if call.token is None:
        raise Problem(400, "bad-request", "Idempotency-Key works with an API token only")
    return call.token
