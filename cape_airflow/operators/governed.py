"""What every operator does that applies a policy: get the approved one, its keys, and tell of the run."""

from __future__ import annotations

import hashlib
import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from cape_airflow.errors import NotApproved, PolicyError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.compat import AirflowException
from cape_airflow.hooks.failure import without_values
from cape_airflow.hooks.given import given, naming_unknown, refuse_vanished
from cape_airflow.hooks.settings import deployment
from cape_airflow.links.pages import CapeJobLink, CapePolicyLink, CapeReviewLink
from cape_airflow.operators.lineage import TracesLineage
from cape_airflow.operators.mapping import INDEX_LABEL
from cape_airflow.operators.outlets import describe_outlets

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from collections.abc import Callable, Collection

    from airflow.sdk import BaseOperatorLink, Context

    from cape_airflow.jobs import JobFinish, JobStart
    from cape_airflow.keys import KeyRing
    from cape_airflow.operators.reporting import Reporter
    from cape_airflow.policy import Plan, Policy


class GovernedOperator(TracesLineage, BaseOperator):
    """Applies an approved policy; the engine is the subclass's.

    Args:
        project: label of the project whose approved policy is applied (templated).
        policy_digest: the only digest that may run (templated); None: the policy that is approved when the task starts.
        policy_file: path of a policy (templated). With a `project`, the coordinator must have approved just that text.
        key_file: path of a key file (templated); only without a `project`.
        cape_conn_id: connection of type `cape`; used with a `project` only.
        fail_on_report: fail where the job cannot be reported, instead of reporting it later.
        map_index_template: what Airflow calls an instance where the task is mapped; by default the end of its target.
        restricting: further arguments that restrict the task, by name: none that was given may come to nothing.
    """

    ui_color = "#d9e8e3"
    operator_extra_links: Collection[BaseOperatorLink] = (CapeJobLink(), CapePolicyLink(), CapeReviewLink())

    def __init__(
        self,
        *,
        project: str | None = None,
        policy_digest: str | None = None,
        policy_file: str | None = None,
        key_file: str | None = None,
        cape_conn_id: str = CapeHook.default_conn_name,
        fail_on_report: bool = False,
        map_index_template: str | None = INDEX_LABEL,
        restricting: Mapping[str, object] | None = None,
        **kwargs: Any,
    ) -> None:
        with naming_unknown(kwargs):
            super().__init__(map_index_template=map_index_template, **kwargs)
        if project is None and policy_file is None:
            raise ValueError("give a project, whose approved policy is applied, or a policy_file")
        if project is not None and key_file is not None:
            raise ValueError("the keys of a project are the coordinator's: give a project or a key_file, not both")
        self.project = project
        self.policy_digest = policy_digest
        self.policy_file = policy_file
        self.key_file = key_file
        self.cape_conn_id = cape_conn_id
        self.fail_on_report = fail_on_report
        self._given = given(
            project=project,
            policy_digest=policy_digest,
            policy_file=policy_file,
            key_file=key_file,
            **(restricting or {}),
        )
        self._killed = False
        self.told_of: JobStart | None = None
        self.suggestion_id: str | None = None

    @cached_property
    def hook(self) -> CapeHook:
        """The coordinator of `cape_conn_id`."""
        return CapeHook(self.cape_conn_id, require_report=self.fail_on_report)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the policy over the source.

        Raises:
            AirflowFailException: policy, data or approval are not as they must be; another try would not help.
            AirflowException: the coordinator or a storage failed; another try may help.
        """
        return self._showing_no_values(lambda: self._transform(context))

    def on_kill(self) -> None:
        """Stop at the next report of progress, within about a second, without output."""
        self._killed = True

    @abstractmethod
    def _transform(self, context: Context) -> dict[str, Any]:
        """Do it; return the XCom."""

    def _showing_no_values(self, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        with without_values():
            try:
                return action()
            except Exception as error:
                self._note_failure(error)
                raise

    def _refuse_vanished(self) -> None:
        refuse_vanished(self, self._given)

    def _policy(self) -> Policy:
        """Return the policy to apply; with a project, one that is approved there."""
        file = _policy_of(self.policy_file) if self.policy_file is not None else None
        digest = self._pinned(file)
        if self.project is not None:
            approved = self.hook.get_policy(self.project, digest)
            self.suggestion_id = approved.approval.suggestion_id
            return approved.policy
        if file is None:
            raise PolicyError("give a project, whose approved policy is applied, or a policy_file")
        return file

    def _pinned(self, file: Policy | None) -> str | None:
        """Return the only digest that may run, None where any approved one may."""
        if self.policy_digest is None:
            return file.digest if file else None
        if not re.fullmatch("[0-9a-f]{64}", self.policy_digest):
            raise NotApproved("policy_digest is not 64 lower-case hex digits: did its template find nothing?")
        if file and file.digest != self.policy_digest:
            raise NotApproved(f"{self.policy_file} has digest {file.digest}, not the pinned {self.policy_digest}")
        return self.policy_digest

    def _keys(self, policy: Policy) -> KeyRing:
        from cape_airflow.hooks.masking import MaskedKeyRing
        from cape_airflow.keys import EnvironmentKeys, FileKeys

        if self.project is not None:
            return self.hook.get_keys(self.project, policy.inline_keys())
        file = [] if self.key_file is None else [FileKeys(self.key_file)]
        return MaskedKeyRing(policy.inline_keys(), *file, EnvironmentKeys())

    def _job_start(self, ti: Any, plan: Plan, *, engine: str, source: str, target: str) -> JobStart:
        from cape_airflow.jobs import JobStart
        from cape_airflow.kernels import implementation

        self._planned = plan
        names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
        return JobStart(
            job_id=job_id_of(ti),
            policy_digest=plan.policy_digest,
            engine=engine,
            kernels=implementation(),
            source=source,
            target=target,
            started_at=datetime.now(UTC),
            origin={"deployment": deployment(), **{name: str(getattr(ti, name)) for name in names}},
        )

    def _reporter(self, start: JobStart) -> Reporter:
        from cape_airflow.operators.reporting import Reporter

        self.told_of = start
        if self.project is None:
            return Reporter(start, self.log)
        return Reporter(start, self.log, self.hook, self.project)

    def _succeeded(self, context: Context, reporter: Reporter, start: JobStart, finish: JobFinish) -> dict[str, Any]:
        """Tell all who are to hear of a success; return the XCom."""
        self._outcome = finish
        reporter.finish(finish)
        describe_outlets(self, context, self.project, start, finish)
        return result_of(start, finish)

    def _before_commit(self, start: JobStart) -> None:
        """Ask once more: is the policy still approved, are its keys still in use, is this the newest attempt?"""
        self._stop_if_killed()
        if self.project is not None:
            self.hook.confirm(self.project, start)

    def _stop_if_killed(self) -> None:
        if self._killed:
            raise AirflowException("the task was told to stop; nothing was written")


def job_id_of(ti: Any) -> str:
    """Return the job id of a task instance, 32 hex digits: the same for all its tries, and for no other Airflow's."""
    identity = json.dumps([deployment(), ti.dag_id, ti.run_id, ti.task_id, ti.map_index])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def read_policy_text(path: str) -> str:
    """Return the text of a policy file.

    Raises:
        PolicyError: it cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"cannot read the policy file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"the policy file {path} is not UTF-8 text") from None


def _policy_of(path: str) -> Policy:
    from cape_airflow.policy import load_policy

    return load_policy(read_policy_text(path), file=path)


def result_of(start: JobStart, finish: JobFinish) -> dict[str, Any]:
    """Return the XCom of a run."""
    progress = finish.progress
    return {
        "job_id": start.job_id,
        "policy_digest": start.policy_digest,
        "rows_in": progress.rows_in,
        "rows_out": progress.rows_out,
        "rows_suppressed": progress.rows_in - progress.rows_out,
    }
