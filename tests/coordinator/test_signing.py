from __future__ import annotations

import hashlib
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import text

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.store.models import SigningKey
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys.encoding import from_base64url
from cape_airflow.policy import load_policy


@pytest.fixture
def public_key(deployment: Any) -> Ed25519PublicKey:
    [key] = deployment.ask("GET", "/v1/signing-keys").json()["items"]
    raw = from_base64url(key["public_key"])
    assert key["key_id"] == hashlib.sha256(raw).hexdigest()[:16]
    return Ed25519PublicKey.from_public_bytes(raw)


def test_D4_the_approval_is_signed_and_says_what_was_approved(project: Any, public_key: Ed25519PublicKey) -> None:
    suggestion = project.approved()
    policy = project.deployment.done("GET", f"{project.path}/policy", project.worker)
    approval = policy["approval"]
    public_key.verify(from_base64url(policy["signature"]), rfc8785.dumps(approval))
    assert set(approval) == {"project", "digest", "suggestion_id", "approved_at", "key_id"}
    assert (approval["project"], approval["suggestion_id"]) == ("customers", suggestion["id"])
    assert approval["digest"] == policy["digest"] == load_policy(policy["policy"]).digest
    assert approval["approved_at"] == suggestion["reviewed_at"]


@pytest.mark.parametrize("field", ["project", "digest", "suggestion_id", "approved_at", "key_id"])
def test_D4_a_changed_approval_does_not_verify(project: Any, public_key: Ed25519PublicKey, field: str) -> None:
    project.approved()
    policy = project.deployment.done("GET", f"{project.path}/policy", project.worker)
    forged = policy["approval"] | {field: "0" * 64}
    with pytest.raises(InvalidSignature):
        public_key.verify(from_base64url(policy["signature"]), rfc8785.dumps(forged))


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE suggestions SET policy = replace(policy, 'email', 'phone')",
        "UPDATE approvals SET signature = (SELECT public_key FROM signing_keys)",
        "INSERT INTO approvals (project_seq, suggestion_seq, digest, document, signature) "
        "SELECT a.project_seq, s.seq, s.digest, a.document, a.signature FROM approvals a, suggestions s "
        "WHERE s.state = 'open'",
    ],
)
@pytest.mark.parametrize("path", ["/v1/projects/customers/policy", "/v1/projects/customers/policies", "policy", "jobs"])
def test_D4_rows_edited_by_hand_do_not_become_an_approved_policy(project: Any, edit: str, path: str) -> None:
    project.approved()
    digest = project.suggest(title="waits")["digest"]
    with project.deployment.app.state.coordinator.store.write() as session:
        assert session.execute(text(edit)).rowcount > 0
        session.commit()
    if path == "jobs":
        answer = project.deployment.ask("PUT", f"{project.path}/jobs/{'0a' * 16}", project.worker, project.job(digest))
    else:
        place = path if path.startswith("/") else f"/projects/customers/{path}"
        answer = project.deployment.ask("GET", place, project.reader)
    assert answer.status_code == 403
    assert "tampered" in answer.text


def test_the_signing_key_outlives_a_restart(maker: Any) -> None:
    first = maker.deployment()
    keys = first.ask("GET", "/v1/signing-keys").json()
    second = type(first)(first.settings, first.admin)
    assert second.ask("GET", "/v1/signing-keys").json() == keys
    second.close()


@pytest.mark.parametrize("seq", [0, 7])
def test_D4_a_signing_key_put_in_by_hand_keeps_the_coordinator_from_starting(deployment: Any, seq: int) -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    forged = SigningKey(
        seq=seq,
        key_id=hashlib.sha256(public).hexdigest()[:16],
        public_key=public,
        wrapped=b"junk",
        created_at=deployment.clock.now,
    )
    with deployment.app.state.coordinator.store.write() as session:
        session.add(forged)
        session.commit()
    with pytest.raises(KeyUnavailable, match="the stored signing key cannot be unwrapped"):
        create_app(deployment.settings)


def test_D4_another_public_part_of_a_signing_key_keeps_the_coordinator_from_starting(deployment: Any) -> None:
    with deployment.app.state.coordinator.store.write() as session:
        session.query(SigningKey).update({"public_key": bytes(32)})
        session.commit()
    with pytest.raises(KeyUnavailable, match="does not fit its private part"):
        create_app(deployment.settings)
