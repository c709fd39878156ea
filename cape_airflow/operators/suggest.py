"""The operator that suggests a policy; whether it counts is for others to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from cape_airflow.errors import CapeError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.failure import without_values
from cape_airflow.hooks.given import given, naming_unknown, refuse_vanished
from cape_airflow.links.pages import CapeReviewLink
from cape_airflow.operators.governed import read_policy_text
from cape_airflow.operators.storage import open_source_at, refuse_credentials, refuse_secret_names

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.client import CoordinatorClient, Suggestion
    from cape_airflow.jobs import DryRun
    from cape_airflow.policy import Policy

_WAITING = ("open", "changes-requested")
_AUTHORS = ("project-contributor", "project-owner")


class CapeSuggestPolicyOperator(BaseOperator):
    """Suggests a policy to a project, and never approves one.

    The same policy, by its digest, is not suggested twice: where it is in force, or the user of the connection has
    suggested it and nobody has decided, the task says so and is done. With a `dry_run_source`, the policy is tried on
    its first rows before it is suggested, and reviewers see counts and shapes; a policy that does not fit the data is
    not suggested.

    The connection's user must be a contributor or an owner of the project: workers may not suggest.

    Args:
        project: label of the project (templated).
        title: of the suggestion (templated).
        policy: its text (templated); or
        policy_file: the path of a file with it (templated).
        description: for reviewers (templated).
        dry_run_source: path or URL of data to try it on (templated).
        dry_run_rows: first rows of it that are read.
        source_format, source_options, source_conn_id: as for `CapeTransformOperator`, of `dry_run_source`.
        cape_conn_id: connection of type `cape`, of a user who may suggest.

    Returns (XCom): suggestion_id, digest, state: that of the suggestion, e.g. open or approved.
    """

    ui_color = "#e3e0ef"
    template_fields: Sequence[str] = ("project", "title", "policy", "policy_file", "description", "dry_run_source")
    template_fields_renderers: ClassVar[dict[str, str]] = {"policy": "yaml"}
    operator_extra_links = (CapeReviewLink(),)

    def __init__(
        self,
        *,
        project: str,
        title: str,
        policy: str | None = None,
        policy_file: str | None = None,
        description: str = "",
        dry_run_source: str | None = None,
        dry_run_rows: int = 10_000,
        source_format: str | None = None,
        source_options: Mapping[str, Any] | None = None,
        source_conn_id: str | None = None,
        cape_conn_id: str = CapeHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        with naming_unknown(kwargs):
            super().__init__(**kwargs)
        if (policy is None) == (policy_file is None):
            raise ValueError("give either policy, its text, or policy_file, its path")
        if dry_run_rows < 1:
            raise ValueError("dry_run_rows must be at least 1")
        if isinstance(dry_run_source, str):  # or the output of a task
            refuse_credentials(dry_run_source)
        refuse_secret_names("source_options", source_options)
        self.project = project
        self.title = title
        self.policy = policy
        self.policy_file = policy_file
        self.description = description
        self.dry_run_source = dry_run_source
        self.dry_run_rows = dry_run_rows
        self.source_format = source_format
        self.source_options = source_options
        self.source_conn_id = source_conn_id
        self.cape_conn_id = cape_conn_id
        self.suggestion_id: str | None = None
        self._given = given(
            project=project, title=title, policy=policy, policy_file=policy_file, dry_run_source=dry_run_source
        )

    @cached_property
    def hook(self) -> CapeHook:
        """The coordinator of `cape_conn_id`."""
        return CapeHook(self.cape_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Suggest the policy, unless that is done already.

        Raises:
            AirflowFailException: policy, data or user are not as they must be; another try would not help.
            AirflowException: the coordinator or a storage failed; another try may help.
        """
        with without_values():
            return self._suggest()

    def _suggest(self) -> dict[str, Any]:
        from cape_airflow.policy import load_policy

        refuse_vanished(self, self._given)
        text = self.policy if self.policy is not None else read_policy_text(str(self.policy_file))
        policy = load_policy(text, file=self.policy_file)
        client = self.hook.client
        author = self._author(client)
        in_force = self._in_force(client, policy.digest)
        if in_force is not None:
            self.log.info("This policy is in force in project `%s` already; nothing was suggested", self.project)
            return self._result(in_force, policy.digest, "approved")
        report = self._dry_run(policy)
        waiting = self._waiting(client, policy.digest, author)
        suggestion = waiting or client.suggest(self.project, self.title, text, self.description)
        self.log.info("Suggestion %s %s", suggestion.id, "waits for its review already" if waiting else "was made")
        self._attach(client, suggestion, report)
        return self._result(suggestion.id, suggestion.digest, suggestion.state)

    def _author(self, client: CoordinatorClient) -> str:
        """Return the email of the user of the connection, who may suggest."""
        me = client.me()
        roles = [member.role for member in me.projects if member.label == self.project]
        if not set(roles) & set(_AUTHORS):
            role = f"is {roles[0]} of" if roles else "is no member of"
            raise CapeError(
                f"{me.email}, the user of connection {self.cape_conn_id}, {role} project `{self.project}`, and may not "
                "suggest policies; name a connection of a project-contributor in cape_conn_id"
            )
        return me.email

    def _in_force(self, client: CoordinatorClient, digest: str) -> str | None:
        """Return the suggestion by which this policy is in force, unless its approval has run out."""
        if client.project(self.project).policy_digest != digest:
            return None
        newest = client.policies(self.project, limit=1)
        valid = (each for each in newest if each.expires_at is None or each.expires_at > datetime.now(UTC))
        return next((each.suggestion_id for each in valid if each.digest == digest), None)

    def _waiting(self, client: CoordinatorClient, digest: str, author: str) -> Suggestion | None:
        """Return what the author has suggested already, and nobody has decided on."""
        mine = (each for each in client.suggestions(self.project) if each.author == author and each.digest == digest)
        return next((each for each in mine if each.state in _WAITING), None)

    def _dry_run(self, policy: Policy) -> DryRun | None:
        if self.dry_run_source is None:
            return None
        from cape_airflow.engines.dry_run import dry_run, sample

        refuse_credentials(self.dry_run_source)
        source = open_source_at(self.dry_run_source, self.source_conn_id, self.source_format, self.source_options)
        with closing(source):
            return dry_run(policy, sample(source, self.dry_run_rows))

    def _attach(self, client: CoordinatorClient, suggestion: Suggestion, report: DryRun | None) -> None:
        """Attach a dry run, unless the suggestion has one of this very text: an earlier try may have attached it."""
        if report is None:
            return
        there = client.review(self.project, suggestion.id).dry_run
        if there is None or there.report.policy_digest != report.policy_digest:
            client.attach_dry_run(self.project, suggestion.id, report)
            self.log.info("Tried on %s rows, of which %s come out; reviewers see it", report.rows_in, report.rows_out)

    def _result(self, suggestion_id: str, digest: str, state: str) -> dict[str, Any]:
        self.suggestion_id = suggestion_id
        return {"suggestion_id": suggestion_id, "digest": digest, "state": state}
