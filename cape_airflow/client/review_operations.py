"""Every call about suggestions and their review as a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cape_airflow.client.address import path_of
from cape_airflow.client.asking import Asking, given
from cape_airflow.client.protocol import Conversation, Request, json_of
from cape_airflow.client.results import Page
from cape_airflow.client.review_results import (
    Comparison,
    PolicyVersion,
    ReviewReport,
    ReviewRule,
    Revision,
    Suggestion,
)
from cape_airflow.jobs import DryRun


class ReviewOperations(Asking):
    """What can be asked about suggestions and their review."""

    def policies(self, project: str, limit: int | None = None) -> Conversation[tuple[PolicyVersion, ...]]:
        """Return the approvals of a project, the newest first."""
        return self._list(("projects", project, "policies"), PolicyVersion, limit)

    def suggest(
        self, project: str, title: str, policy: str, description: str = "", base: str | None = None
    ) -> Conversation[Suggestion]:
        """Suggest a policy, given as its text; `base` is the approved digest that it was written against."""
        body = {"title": title, "description": description, "policy": policy} | given({"base": base})
        return self._create(("projects", project, "suggestions"), Suggestion, body)

    def suggest_again(self, project: str, digest: str, title: str | None = None) -> Conversation[Suggestion]:
        """Suggest a policy that was approved before: to go back to it, or to have it certified again."""
        path = ("projects", project, "policies", digest, "suggest")
        return self._create(path, Suggestion, given({"title": title}))

    def suggestions(self, project: str, limit: int | None = None) -> Conversation[tuple[Suggestion, ...]]:
        """Return the suggestions of a project, at most `limit`."""
        return self._list(("projects", project, "suggestions"), Suggestion, limit)

    def suggestion(self, project: str, suggestion_id: str) -> Conversation[Suggestion]:
        """Return one suggestion."""
        return self.call(Request("GET", _of(project, suggestion_id), json_of(Suggestion)))

    def revisions(self, project: str, suggestion_id: str) -> Conversation[tuple[Revision, ...]]:
        """Return all that a suggestion has said, the newest last."""
        path = _of(project, suggestion_id, "revisions")
        return self.call(Request("GET", path, lambda answer: json_of(Page[Revision])(answer).items))

    def edit_suggestion(
        self,
        project: str,
        suggestion_id: str,
        revision: int,
        *,
        title: str | None = None,
        description: str | None = None,
        policy: str | None = None,
    ) -> Conversation[Suggestion]:
        """Change a suggestion that was seen at `revision`; None leaves a part as it is. Clears its approvals."""
        body = {"revision": revision} | given({"title": title, "description": description, "policy": policy})
        return self.call(Request("PATCH", _of(project, suggestion_id), json_of(Suggestion), body))

    def rebase(
        self, project: str, suggestion_id: str, revision: int, policy: str | None = None
    ) -> Conversation[Suggestion]:
        """Say that a suggestion, or its new text, is meant to replace the policy that is in force now."""
        return self._to(project, suggestion_id, "rebase", {"revision": revision} | given({"policy": policy}))

    def withdraw(self, project: str, suggestion_id: str) -> Conversation[Suggestion]:
        """Take a suggestion back: one's own, or as an owner."""
        return self._to(project, suggestion_id, "withdraw", None)

    def comment(self, project: str, suggestion_id: str, text: str, line: int | None = None) -> Conversation[Suggestion]:
        """Say something about a suggestion, or about a line of its policy."""
        return self._to(project, suggestion_id, "comments", {"text": text} | given({"line": line}))

    def attach_dry_run(self, project: str, suggestion_id: str, report: DryRun) -> Conversation[DryRun]:
        """Attach what the policy did to a sample, in counts and shapes."""
        path = _of(project, suggestion_id, "dry-runs")
        return self.call(Request("POST", path, json_of(DryRun), report, keyed=True))

    # Reviews. A digest is that of the text which the reviewer saw; another one is refused.

    def review(self, project: str, suggestion_id: str) -> Conversation[ReviewReport]:
        """Return everything that a reviewer needs."""
        return self.call(Request("GET", _of(project, suggestion_id, "review"), json_of(ReviewReport)))

    def compare(self, project: str, before: str, after: str) -> Conversation[Comparison]:
        """Compare two versions: approved digests, suggestions (their id) or revisions of them (``id.number``)."""
        query = {"before": before, "after": after}
        return self.call(Request("GET", path_of("projects", project, "diff"), json_of(Comparison), query=query))

    def approve(
        self, project: str, suggestion_id: str, digest: str, comment: str | None = None
    ) -> Conversation[Suggestion]:
        """Approve the suggestion with exactly this digest; never one's own."""
        return self._to(project, suggestion_id, "approve", {"digest": digest} | given({"comment": comment or None}))

    def request_changes(self, project: str, suggestion_id: str, digest: str, comment: str) -> Conversation[Suggestion]:
        """Ask the author for another text."""
        return self._to(project, suggestion_id, "request-changes", {"digest": digest, "comment": comment})

    def reject(self, project: str, suggestion_id: str, digest: str, comment: str) -> Conversation[Suggestion]:
        """Reject the suggestion with exactly this digest, and say why."""
        return self._to(project, suggestion_id, "reject", {"digest": digest, "comment": comment})

    def break_glass(self, project: str, suggestion_id: str, digest: str, reason: str) -> Conversation[Suggestion]:
        """Put a suggestion in force without a review, for 72 hours; an after-review is due. For owners."""
        return self._to(project, suggestion_id, "break-glass", {"digest": digest, "reason": reason})

    def after_review(
        self, project: str, suggestion_id: str, digest: str, verdict: str, comment: str | None = None
    ) -> Conversation[Suggestion]:
        """Review what was put in force without: ``confirm``, or ``object`` with a comment."""
        body = {"digest": digest, "verdict": verdict} | given({"comment": comment})
        return self._to(project, suggestion_id, "after-review", body)

    def review_rule(self, project: str) -> Conversation[ReviewRule]:
        """Return who must approve in a project."""
        return self.call(Request("GET", path_of("projects", project, "review-rule"), json_of(ReviewRule)))

    def set_review_rule(
        self, project: str, quorum: Mapping[str, int], valid_days: int | None = None
    ) -> Conversation[ReviewRule]:
        """Say who must approve: ``{"project-owner": 1, "auditor": 1}``; owners a stricter rule, admins any."""
        body = {"quorum": dict(quorum), "valid_days": valid_days}
        return self.call(Request("PUT", path_of("projects", project, "review-rule"), json_of(ReviewRule), body))

    def _to(
        self, project: str, suggestion_id: str, verb: str, body: Mapping[str, Any] | None
    ) -> Conversation[Suggestion]:
        return self._create(("projects", project, "suggestions", suggestion_id, verb), Suggestion, body)


def _of(project: str, suggestion_id: str, *more: str) -> str:
    return path_of("projects", project, "suggestions", suggestion_id, *more)
