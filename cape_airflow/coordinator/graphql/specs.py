"""The approved policy of a project as Cape's clients fetch it: checked for them, in their shape, with its keys.

Our own client checks signature and digest of what it fetches; theirs cannot, so it is done here. And theirs look for
key material in the policy: it is handed over as it is to any worker, and recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from cape_airflow.client.results import SignedPolicy
from cape_airflow.client.trust import check, trusted_keys
from cape_airflow.coordinator import review
from cape_airflow.coordinator.access import authorise
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.graphql.old_policies import old_policy
from cape_airflow.coordinator.key_hand_over import Purpose, hand_over, refuse_insecure_transport
from cape_airflow.coordinator.permissions import PERMISSIONS
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.seals import tampered
from cape_airflow.coordinator.store.models import Approval
from cape_airflow.errors import NotApproved
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import to_base64url
from cape_airflow.policy import Policy

_KEY = PERMISSIONS["GET", "/v1/projects/{label}/keys/{name}/material"]
_OLD_CLIENT = Purpose("the policy of a client of Cape 0.3")


@dataclass(frozen=True)
class Spec:
    """Cape's ``current_spec``; `id` is that of the approved suggestion, and names the policy in the audit log."""

    id: str
    rules: list[dict[str, Any]]
    transformations: list[dict[str, Any]] = field(repr=False)


def current_spec(request: Request, call: Call) -> Spec:
    """Return the project's policy.

    Raises:
        Problem: 404 ``no-approved-policy``; 409 ``approval-expired``, ``not-for-old-clients``; 403 where it names keys
            and the caller is no worker, may not reveal, or asks over an open line; 403 ``tampered``.
    """
    approval = review.approved(call)
    end = review.expires_at(approval)
    if end is not None and end <= call.now:
        raise Problem(409, "approval-expired", "the approval of this policy has expired; have it reviewed again")
    old = old_policy(_checked(call, approval), lambda name, reveals: _material(request, call, name, reveals=reveals))
    call.record(Event.READ_POLICY, "policy", approval.suggestion.id, approval.digest)
    return Spec(approval.suggestion.id, old.rules, old.transformations)


def _checked(call: Call, approval: Approval) -> Policy:
    """Return the policy, checked as a worker checks it."""
    signed = SignedPolicy(
        project=call.project.label,
        digest=approval.digest,
        policy=approval.suggestion.policy,
        approval=approval.document,
        signature=to_base64url(approval.signature),
    )
    try:
        return check(signed, trusted_keys(call.coordinator.signer.public_keys.values()), call.project.label).policy
    except NotApproved:
        raise tampered(approval.suggestion) from None


def _material(request: Request, call: Call, name: str, *, reveals: bool) -> Secret:
    """Return the primary version of a key, for a worker."""
    authorise(call.seals, call.session, _KEY, call.user, call.project.label)
    refuse_insecure_transport(request)
    key = hand_over(call, name, _OLD_CLIENT if reveals else None)
    return key.material[key.key.primary]
