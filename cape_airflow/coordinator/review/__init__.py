"""The review of policies.

Rules it follows:

- What is suggested is a policy that loads, without keys in it. Each edit makes a new revision; all are kept for ever.
- Nobody reviews what he wrote or edited, whatever he is and whatever he is called by now.
- A review names the digest that the reviewer saw; another one is refused. An edit clears all approvals.
- An approval needs the quorum of the project's rule, of people who have their role at the merge, on the policy that is
  in force at the merge. It is signed. The digests approved before stay available.
- In an emergency an owner breaks the glass: for 72 hours, with a reason, and with a review afterwards. Before that
  review the same owner does not do so again.

`states` is the table of what may happen when; `guards` are its conditions, `facts` what they go by.
"""

from __future__ import annotations

from cape_airflow.coordinator.review.approvals import expires_at
from cape_airflow.coordinator.review.dry_runs import attach_dry_run
from cape_airflow.coordinator.review.history import (
    approval_of,
    approvals,
    approved,
    check_approval,
    find_revision,
    find_suggestion,
    reviews_of,
    revisions_of,
    suggestions,
)
from cape_airflow.coordinator.review.quorum import Rule, names_auditors, rule_of, set_rule
from cape_airflow.coordinator.review.verdicts import approve, break_glass, confirm, object_to, reject, request_changes
from cape_airflow.coordinator.review.writing import add_comment, edit, rebase, suggest, suggest_again, withdraw

__all__ = [
    "Rule",
    "add_comment",
    "approval_of",
    "approvals",
    "approve",
    "approved",
    "attach_dry_run",
    "break_glass",
    "check_approval",
    "confirm",
    "edit",
    "expires_at",
    "find_revision",
    "find_suggestion",
    "names_auditors",
    "object_to",
    "rebase",
    "reject",
    "request_changes",
    "reviews_of",
    "revisions_of",
    "rule_of",
    "set_rule",
    "suggest",
    "suggest_again",
    "suggestions",
    "withdraw",
]
