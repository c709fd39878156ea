"""Which policies a worker believes. Rules, all checked on every fetch, also of a policy that is cached:

- the approval is signed (Ed25519, RFC 8032, over the RFC 8785 canonical JSON of it) by a key we trust;
- it speaks of the project and, where one was asked for, the digest that we asked for;
- the digest of the text, computed here, is the digest that was approved;
- where the approval says until when it counts, that moment is not past.

Whatever fails is `NotApproved`, so that nothing runs. Which keys are trusted is pinned by the caller; without that,
the coordinator's own keys at the first fetch are, for as long as the client lives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from cape_airflow.client.results import Approval, ApprovedPolicy, SignedPolicy
from cape_airflow.errors import CoordinatorError, NotApproved, PolicyError
from cape_airflow.keys.encoding import from_base64url
from cape_airflow.policy import load_policy

TrustedKeys = Mapping[str, Ed25519PublicKey]


def trusted_keys(public_keys: Iterable[str]) -> TrustedKeys:
    """Return public keys by their key id: the first 16 hex digits of the SHA-256 of the raw key.

    Args:
        public_keys: 32 bytes each, base64url.

    Raises:
        CoordinatorError: one of them is not an Ed25519 public key.
    """
    keys = {}
    for text in public_keys:
        try:
            raw = from_base64url(text)
            keys[hashlib.sha256(raw).hexdigest()[:16]] = Ed25519PublicKey.from_public_bytes(raw)
        except ValueError:
            raise CoordinatorError("a signing key must be 32 bytes of an Ed25519 public key, base64url") from None
    return keys


def check(
    signed: SignedPolicy, keys: TrustedKeys, project: str, digest: str | None = None, *, now: datetime | None = None
) -> ApprovedPolicy:
    """Return the policy where every rule above holds.

    Args:
        project: the label that was asked for.
        digest: the digest that was asked for; None for whichever is approved now.
        now: aware; None for the time of this machine.

    Raises:
        NotApproved: a rule does not hold; says which.
    """
    approval = _approval(signed, keys, project)
    if approval.project != project:
        raise _refused(project, f"its approval is for project `{_short(approval.project)}`")
    if digest is not None and approval.digest != digest:
        raise _refused(project, f"its approval is for digest {_short(approval.digest)}, not {_short(digest)}")
    if approval.has_run_out(now or datetime.now(UTC)):
        raise _refused(
            project,
            f"its approval ran out on {approval.expires_at:%Y-%m-%d %H:%M} UTC; have it certified again: "
            f"cape suggestions again {project} {_short(approval.digest)}",
        )
    try:
        policy = load_policy(signed.policy)
    except PolicyError as error:
        raise _refused(project, f"its text cannot be read: {error}") from error
    if not policy.digest == approval.digest == signed.digest:
        raise _refused(
            project, f"its text has digest {_short(policy.digest)}, but {_short(approval.digest)} was approved"
        )
    return ApprovedPolicy(project, policy.digest, signed.policy, policy, approval)


def _approval(signed: SignedPolicy, keys: TrustedKeys, project: str) -> Approval:
    """Return the signed approval; nothing of it is looked at before its signature holds, but for the key's name."""
    key = keys.get(str(signed.approval.get("key_id")))
    if key is None:
        raise _refused(
            project,
            "its approval is signed by a key that is not trusted here; where that is right, pin what "
            "`cape coordinator signing-keys` prints (cape login does), after asking whoever runs the coordinator",
        )
    try:
        key.verify(from_base64url(signed.signature), rfc8785.dumps(dict(signed.approval)))
        return Approval.model_validate(signed.approval)
    except (InvalidSignature, rfc8785.CanonicalizationError, ValidationError, ValueError):
        raise _refused(project, "the signature of its approval does not hold") from None


def _refused(project: str, why: str) -> NotApproved:
    return NotApproved(f"the policy that came for project `{project}` is refused: {why}")


def _short(text: str) -> str:
    return f"{text[:12]}..." if len(text) > 16 else text
