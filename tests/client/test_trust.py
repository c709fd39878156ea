"""Which policies a client believes: everything that is not exactly what was approved is refused."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.client.results import Approval, SignedPolicy
from cape_airflow.client.trust import check, trusted_keys
from cape_airflow.errors import CoordinatorError, NotApproved
from cape_airflow.keys.encoding import to_base64url
from cape_airflow.policy import load_policy

OTHER = "label: customers\nversion: 2\nrules:\n  - match: {name: email}\n    keep: {reason: why not}\n"


@pytest.fixture
def served(faulty, answer, connect, signer):
    """Fetch the policy of project crm from a coordinator that answers with this body."""

    def fetch(body, digest=None, *, listed=None, **options):
        server = faulty(answer(200, body, ETag='"e1"'), answer(200, listed or signer.listed()))
        return connect(server.url, **options)("policy", "crm", digest), server

    return fetch


def test_an_approved_policy_comes_with_its_text_its_digest_and_its_approval(served, signer):
    body = signer.signed()
    approved, server = served(body)
    assert approved.text == body["policy"]
    assert approved.digest == load_policy(body["policy"]).digest == approved.policy.digest
    assert approved.approval.suggestion_id == "s1"
    assert [asked.path for asked in server.asked] == ["/v1/projects/crm/policy", "/v1/signing-keys?limit=200"]


def test_pinned_signing_keys_are_not_asked_for(served, signer):
    _, server = served(signer.signed(), signing_keys=[signer.public])
    assert len(server.asked) == 1


def test_a_policy_of_another_text_is_refused(served, signer):
    with pytest.raises(NotApproved, match="its text has digest"):
        served(signer.signed() | {"policy": OTHER})


def test_another_text_with_its_own_digest_is_refused(served, signer):
    digest = load_policy(OTHER).digest
    with pytest.raises(NotApproved, match="its text has digest"):
        served(signer.signed() | {"policy": OTHER, "digest": digest})


def test_another_text_with_an_approval_that_was_not_signed_is_refused(served, signer):
    body = signer.signed() | {"policy": OTHER, "digest": load_policy(OTHER).digest}
    body["approval"] |= {"digest": body["digest"]}
    with pytest.raises(NotApproved, match="signature"):
        served(body)


def test_a_digest_beside_the_approval_that_differs_is_refused(served, signer):
    with pytest.raises(NotApproved):
        served(signer.signed() | {"digest": "0" * 64})


def test_the_approval_of_another_project_is_refused(served, signer):
    with pytest.raises(NotApproved, match="for project `hr`"):
        served(signer.signed(project="hr"))


def test_another_digest_than_the_pinned_one_is_refused(served, signer):
    with pytest.raises(NotApproved, match="not 000000000000"):
        served(signer.signed(), digest="0" * 64)


def test_the_signature_of_another_key_is_refused(served, signer):
    other = type(signer)()
    with pytest.raises(NotApproved, match="signature"):
        served(signer.signed() | {"signature": other.signed(key_id=signer.key_id)["signature"]})


def test_a_key_that_is_not_pinned_is_refused(served, signer):
    with pytest.raises(NotApproved, match="a key that is not trusted here"):
        served(type(signer)().signed(), signing_keys=[signer.public])


def test_a_text_that_is_no_policy_is_refused(served, signer):
    with pytest.raises(NotApproved, match="cannot be read"):
        served(signer.signed() | {"policy": "label: ["})


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64url!", "A" * 86])
def test_a_signature_that_is_none_is_refused(served, signer, signature):
    with pytest.raises(NotApproved, match="signature"):
        served(signer.signed() | {"signature": signature})


@pytest.mark.parametrize("field", ["project", "digest", "suggestion_id", "approved_at"])
def test_a_signed_approval_that_lacks_a_field_is_refused(served, signer, field):
    with pytest.raises(NotApproved, match="signature"):
        served(signer.signed(**{field: None}))


def test_an_approval_with_a_number_that_is_none_is_refused(served, signer):
    body = signer.signed()
    body["approval"]["approved_at"] = float("nan")
    with pytest.raises(NotApproved, match="signature"):
        served(body)


def test_a_cached_policy_is_not_sent_again(faulty, answer, connect, signer):
    server = faulty(answer(200, signer.signed(), ETag='"e1"'), answer(304))
    client = connect(server.url, signing_keys=[signer.public])
    assert client("policy", "crm") == client("policy", "crm")
    assert [asked.headers.get("if-none-match") for asked in server.asked] == [None, '"e1"']


def test_a_cached_policy_is_checked_again(faulty, answer, connect, signer):
    server = faulty(answer(200, signer.signed(), ETag='"e1"'), answer(304))
    client = connect(server.url, signing_keys=[signer.public])
    client("policy", "crm")
    (path, (etag, signed)) = next(iter(client.client._operations._policies.items()))
    client.client._operations._policies[path] = (etag, signed.model_copy(update={"policy": OTHER}))
    with pytest.raises(NotApproved, match="digest"):
        client("policy", "crm")


def test_a_newer_policy_replaces_the_cached_one(faulty, answer, connect, signer):
    first, second = signer.signed(), signer.signed(OTHER)
    server = faulty(answer(200, first, ETag='"e1"'), answer(200, second, ETag='"e2"'), answer(304))
    client = connect(server.url, signing_keys=[signer.public])
    assert [client("policy", "crm").text for _ in range(3)] == [first["policy"], OTHER, OTHER]
    assert server.asked[2].headers["if-none-match"] == '"e2"'


def test_a_refused_policy_is_not_cached(faulty, answer, connect, signer):
    server = faulty(answer(200, signer.signed() | {"policy": OTHER}, ETag='"e1"'), answer(200, signer.signed()))
    client = connect(server.url, signing_keys=[signer.public])
    with pytest.raises(NotApproved):
        client("policy", "crm")
    client("policy", "crm")
    assert "if-none-match" not in server.asked[1].headers


def test_the_first_signing_keys_are_remembered(faulty, answer, connect, signer):
    other = type(signer)()
    server = faulty(answer(200, signer.signed()), answer(200, signer.listed()), answer(200, other.signed()))
    client = connect(server.url)
    client("policy", "crm")
    with pytest.raises(NotApproved, match="not trusted"):
        client("policy", "crm")
    assert len(server.asked) == 3


@pytest.mark.parametrize("key", ["", "AAAA", "no base64url!"])
def test_a_signing_key_that_is_none_is_told_at_once(key):
    with pytest.raises(CoordinatorError, match="32 bytes"):
        trusted_keys([key])


@given(data=st.data())
def test_a_flipped_byte_of_the_policy_never_passes_as_another_policy(data):
    signed, key = _signed(Ed25519PrivateKey.from_private_bytes(b"1" * 32))
    text = bytearray(signed.policy.encode())
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] ^= data.draw(st.integers(1, 127)) & 0x7F
    changed = signed.model_copy(update={"policy": bytes(text).decode("utf-8", "replace")})
    try:
        approved = check(changed, trusted_keys([key]), "crm")
    except NotApproved:
        return
    assert approved.policy.document == load_policy(signed.policy).document


def _signed(private):
    text = "label: customers\nversion: 2\nrules:\n  - match: {name: email}\n    actions: [drop]\n"
    public = private.public_key().public_bytes_raw()
    approval = {
        "project": "crm",
        "digest": load_policy(text).digest,
        "suggestion_id": "s1",
        "approved_at": "2026-11-21T10:00:00Z",
        "key_id": hashlib.sha256(public).hexdigest()[:16],
    }
    signature = to_base64url(private.sign(rfc8785.dumps(approval)))
    body = {"project": "crm", "digest": approval["digest"], "policy": text, "approval": approval}
    return SignedPolicy(**body, signature=signature), to_base64url(public)


def test_an_approval_that_has_run_out_is_refused_and_says_how_to_get_another(served, signer):
    with pytest.raises(NotApproved, match=r"ran out on 2020-01-01 00:00 UTC.*cape suggestions again crm"):
        served(signer.signed(expires_at="2020-01-01T00:00:00.000000Z"))


def test_an_approval_with_an_end_to_come_is_believed(served, signer):
    approved, _ = served(signer.signed(expires_at="9999-01-01T00:00:00.000000Z"))
    assert list(approved.approval.warnings(datetime.now(UTC))) == []


def test_an_approval_counts_until_its_last_moment():
    end = datetime(2027, 1, 31, tzinfo=UTC)
    approval = Approval(project="p", digest="d", suggestion_id="s", approved_at=end, key_id="k", expires_at=end)
    assert approval.has_run_out(end)
    assert not approval.has_run_out(end - timedelta(seconds=1))
    assert not list(approval.warnings(end - timedelta(days=15)))
    assert "ends on 2027-01-31" in next(approval.warnings(end - timedelta(days=14)))


def test_who_runs_a_policy_that_nobody_reviewed_is_told(served, signer):
    approved, _ = served(signer.signed(break_glass=True, expires_at="9999-01-01T00:00:00.000000Z"))
    assert "without a review" in next(approved.approval.warnings(datetime.now(UTC)))
