"""The operator: an approved policy and data in, de-identified data out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from cape_airflow.errors import CapeError, NotApproved, PolicyError
from cape_airflow.hooks.cape import CapeHook
from cape_airflow.hooks.compat import AirflowException
from cape_airflow.hooks.failure import task_failure, unexpected
from cape_airflow.hooks.given import given, refuse_vanished
from cape_airflow.hooks.settings import deployment
from cape_airflow.operators.storage import filesystem_of, refuse_credentials

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.datasets import Sink, Source
    from cape_airflow.jobs import JobFinish, JobStart, Progress
    from cape_airflow.keys import KeyRing
    from cape_airflow.operators.reporting import Reporter
    from cape_airflow.policy import Plan, Policy


class CapeTransformOperator(BaseOperator):
    """De-identifies a dataset under a policy: all of the output appears, or nothing.

    With a `project`, only a policy that is approved there runs; its keys come from there, and the job is reported
    there. Just before the output appears, the coordinator is asked once more whether the policy still is approved.
    With only a `policy_file`, no coordinator is needed; keys come from `key_file` and the environment.

    A retry of the task is the same job, and replaces its own output by the same bytes. No argument can hold a key or
    a credential: keys are named by the policy, storages and coordinators by Airflow connections.

    Args:
        source: path or URL of the input: a file, a glob or a folder (templated).
        target: path or URL of the output (templated).
        project: label of the project whose approved policy is applied (templated).
        policy_digest: the only digest that may run (templated), e.g. the XCom of `CapePolicyApprovalSensor`;
            None: the policy that is approved when the task starts.
        policy_file: path of a policy (templated). With a `project`, the coordinator must have approved just that text.
        key_file: path of a key file (templated), see `cape keys new`; only without a `project`.
        cape_conn_id: connection of type `cape`; used with a `project` only.
        source_format: parquet, csv, jsonl or ipc; None: by the suffix.
        target_format: the same, for the output.
        source_options: how to read it, e.g. ``{"column_types": {"zip": "string"}}`` for CSV.
        source_conn_id: Airflow connection of the storage that holds the source.
        target_conn_id: Airflow connection of the storage that takes the target.
        fail_on_report: fail where the job cannot be reported, instead of reporting it later.

    Returns (XCom): job_id, policy_digest, rows_in, rows_out, rows_suppressed.
    """

    template_fields: Sequence[str] = ("project", "source", "target", "policy_digest", "policy_file", "key_file")
    ui_color = "#d9e8e3"

    def __init__(
        self,
        *,
        source: str,
        target: str,
        project: str | None = None,
        policy_digest: str | None = None,
        policy_file: str | None = None,
        key_file: str | None = None,
        cape_conn_id: str = CapeHook.default_conn_name,
        source_format: str | None = None,
        target_format: str | None = None,
        source_options: Mapping[str, Any] | None = None,
        source_conn_id: str | None = None,
        target_conn_id: str | None = None,
        fail_on_report: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if project is None and policy_file is None:
            raise ValueError("give a project, whose approved policy is applied, or a policy_file")
        if project is not None and key_file is not None:
            raise ValueError("the keys of a project are the coordinator's: give a project or a key_file, not both")
        refuse_credentials(*(url for url in (source, target) if isinstance(url, str)))  # or the output of a task
        self.source = source
        self.target = target
        self.project = project
        self.policy_digest = policy_digest
        self.policy_file = policy_file
        self.key_file = key_file
        self.cape_conn_id = cape_conn_id
        self.source_format = source_format
        self.target_format = target_format
        self.source_options = source_options
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id
        self.fail_on_report = fail_on_report
        self._given = given(
            source=source,
            target=target,
            project=project,
            policy_digest=policy_digest,
            policy_file=policy_file,
            key_file=key_file,
        )
        self._killed = False

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
        try:
            return self._transform(context)
        except CapeError as error:
            raise task_failure(error) from None
        except AirflowException:
            raise
        except Exception as error:  # noqa: BLE001 - its message may hold a value, and Airflow would log it
            raise unexpected(error) from None

    def on_kill(self) -> None:
        """Stop at the next report of progress, within about a second, without output."""
        self._killed = True

    def _transform(self, context: Context) -> dict[str, Any]:
        from cape_airflow.engines import run_local
        from cape_airflow.policy import compile_plan

        refuse_vanished(self, self._given)
        refuse_credentials(self.source, self.target)
        policy = self._policy()
        source = self._open_source()
        plan = compile_plan(policy, source.schema)
        self.log.info("%s", plan)
        start = self._job_start(context["ti"], plan)
        reporter = self._reporter(start)
        with reporter.told():
            finish = run_local(
                plan,
                self._keys(policy),
                source,
                self._open_sink(start.job_id),
                job_id=start.job_id,
                on_progress=lambda progress: self._on_progress(reporter, progress),
                before_commit=lambda: self._before_commit(plan),
            )
        reporter.finish(finish)
        return _result(start, finish)

    def _policy(self) -> Policy:
        """Return the policy to apply; with a project, one that is approved there."""
        file = _policy_of(self.policy_file) if self.policy_file is not None else None
        digest = self._pinned(file)
        if self.project is not None:
            return self.hook.get_policy(self.project, digest).policy
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
        from cape_airflow.keys import EnvironmentKeys, FileKeys, KeyRing

        if self.project is not None:
            return self.hook.get_keys(self.project, policy.inline_keys())
        file = [] if self.key_file is None else [FileKeys(self.key_file)]
        return KeyRing(policy.inline_keys(), *file, EnvironmentKeys())

    def _open_source(self) -> Source:
        from cape_airflow.datasets import open_source

        return open_source(
            self.source,
            format=self.source_format,
            filesystem=filesystem_of(self.source, self.source_conn_id),
            options=self.source_options,
        )

    def _open_sink(self, job_id: str) -> Sink:
        from cape_airflow.datasets import open_sink

        return open_sink(
            self.target,
            format=self.target_format,
            filesystem=filesystem_of(self.target, self.target_conn_id),
            job_id=job_id,
        )

    def _job_start(self, ti: Any, plan: Plan) -> JobStart:
        from cape_airflow.jobs import JobStart
        from cape_airflow.kernels import implementation

        names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
        return JobStart(
            job_id=job_id_of(ti),
            policy_digest=plan.policy_digest,
            engine="local",
            kernels=implementation(),
            source=self.source,
            target=self.target,
            started_at=datetime.now(UTC),
            origin={"deployment": deployment(), **{name: str(getattr(ti, name)) for name in names}},
        )

    def _reporter(self, start: JobStart) -> Reporter:
        from cape_airflow.operators.reporting import Reporter

        if self.project is None:
            return Reporter(start, self.log)
        return Reporter(start, self.log, self.hook, self.project)

    def _on_progress(self, reporter: Reporter, progress: Progress) -> None:
        self._stop_if_killed()
        reporter.progress(progress)

    def _before_commit(self, plan: Plan) -> None:
        self._stop_if_killed()
        if self.project is not None:
            self.hook.get_policy(self.project, plan.policy_digest)

    def _stop_if_killed(self) -> None:
        if self._killed:
            raise AirflowException("the task was told to stop; nothing was written")


def job_id_of(ti: Any) -> str:
    """Return the job id of a task instance, 32 hex digits: the same for all its tries, and for no other Airflow's."""
    identity = json.dumps([deployment(), ti.dag_id, ti.run_id, ti.task_id, ti.map_index])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _policy_of(path: str) -> Policy:
    from cape_airflow.policy import load_policy

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"cannot read the policy file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"the policy file {path} is not UTF-8 text") from None
    return load_policy(text, file=path)


def _result(start: JobStart, finish: JobFinish) -> dict[str, Any]:
    progress = finish.progress
    return {
        "job_id": start.job_id,
        "policy_digest": start.policy_digest,
        "rows_in": progress.rows_in,
        "rows_out": progress.rows_out,
        "rows_suppressed": progress.rows_in - progress.rows_out,
    }
