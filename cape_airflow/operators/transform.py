"""The operator: an approved policy and data in, de-identified data out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from cape_airflow.operators.governed import GovernedOperator, job_id_of
from cape_airflow.operators.mapping import refuse_shared_target
from cape_airflow.operators.storage import (
    lineage_name,
    open_sink_at,
    open_source_at,
    refuse_credentials,
    refuse_secret_names,
    told,
)

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.datasets import Sink, Source
    from cape_airflow.jobs import JobStart, Progress
    from cape_airflow.keys import KeyRing
    from cape_airflow.lineage import DatasetName
    from cape_airflow.operators.reporting import Reporter
    from cape_airflow.policy import Plan, Policy

__all__ = ["CapeTransformOperator", "job_id_of"]


class CapeTransformOperator(GovernedOperator):
    """De-identifies a dataset under a policy: all of the output appears, or nothing.

    With a `project`, only a policy that is approved there runs; its keys come from there, and the job is reported
    there. Just before the output appears, the coordinator is asked once more whether the policy still is approved.
    With only a `policy_file`, no coordinator is needed; keys come from `key_file` and the environment.

    A retry of the task is the same job, and replaces its own output by the same bytes. No argument can hold a key or
    a credential: keys are named by the policy, storages and coordinators by Airflow connections.

    Args:
        source: path or URL of the input: a file, a glob or a folder; or ``table:schema.name`` or ``query:select ...``
            in the database of `source_conn_id` (templated).
        target: path or URL of the output; or ``table:schema.name`` in the database of `target_conn_id` (templated).
        project: label of the project whose approved policy is applied (templated).
        policy_digest: the only digest that may run (templated), e.g. the XCom of `CapePolicyApprovalSensor`;
            None: the policy that is approved when the task starts.
        policy_file: path of a policy (templated). With a `project`, the coordinator must have approved just that text.
        key_file: path of a key file (templated), see `cape keys new`; only without a `project`.
        cape_conn_id: connection of type `cape`; used with a `project` only.
        source_format: parquet, csv, jsonl or ipc; None: by the suffix.
        target_format: the same, for the output.
        source_options: how to read it, e.g. ``{"column_types": {"zip": "string"}}`` for CSV.
        source_conn_id: Airflow connection of the storage or database that holds the source (templated).
        target_conn_id: Airflow connection of the storage or database that takes the target (templated).
        target_mode: ``replace`` what is there, or ``append`` to a table, once for each job.
        fail_on_report: fail where the job cannot be reported, instead of reporting it later.

    Returns (XCom): job_id, policy_digest, rows_in, rows_out, rows_suppressed.
    """

    template_fields: Sequence[str] = (
        "project",
        "source",
        "target",
        "policy_digest",
        "policy_file",
        "key_file",
        "cape_conn_id",
        "source_conn_id",
        "target_conn_id",
    )

    def __init__(
        self,
        *,
        source: str,
        target: str,
        source_format: str | None = None,
        target_format: str | None = None,
        source_options: Mapping[str, Any] | None = None,
        source_conn_id: str | None = None,
        target_conn_id: str | None = None,
        target_mode: str = "replace",
        **kwargs: Any,
    ) -> None:
        super().__init__(restricting={"source": source, "target": target}, **kwargs)
        refuse_credentials(*(url for url in (source, target) if isinstance(url, str)))  # or the output of a task
        refuse_secret_names("source_options", source_options)
        self.source = source
        self.target = target
        self.source_format = source_format
        self.target_format = target_format
        self.source_options = source_options
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id
        self.target_mode = target_mode

    def _transform(self, context: Context) -> dict[str, Any]:
        self._refuse_vanished()
        if self.target_mode == "replace":
            refuse_shared_target(self)
        refuse_credentials(self.source, self.target)
        policy = self._policy()
        with closing(self._open_source()) as source:
            return self._run(context, policy, source)

    def _run(self, context: Context, policy: Policy, source: Source) -> dict[str, Any]:
        from cape_airflow.engines import run_local
        from cape_airflow.policy import compile_plan

        plan = compile_plan(policy, source.schema)
        self.log.info("%s", plan)
        start = self._job_start(context["ti"], plan, engine="local", source=told(self.source), target=told(self.target))
        reporter = self._reporter(start)
        with reporter.told():
            keys = self._keys(policy)
            self._check_run(plan, source, keys)
            finish = run_local(
                plan,
                keys,
                source,
                self._open_sink(start.job_id),
                job_id=start.job_id,
                on_progress=lambda progress: self._on_progress(reporter, progress),
                before_commit=lambda: self._before_publishing(source, start),
            )
        return self._succeeded(context, reporter, start, finish)

    def _check_run(self, plan: Plan, source: Source, keys: KeyRing) -> None:
        """Refuse a run before anything is written; subclasses may ask for more."""

    def _open_source(self) -> Source:
        return open_source_at(self.source, self.source_conn_id, self.source_format, self.source_options)

    def _open_sink(self, job_id: str) -> Sink:
        return open_sink_at(self.target, self.target_conn_id, self.target_format, job_id, self.target_mode)

    def _datasets(self) -> tuple[DatasetName | None, DatasetName | None]:
        return lineage_name(self.source, self.source_conn_id), lineage_name(self.target, self.target_conn_id)

    def _before_publishing(self, source: Source, start: JobStart) -> None:
        """All is read: let go of the source, whose locks could keep a table from being replaced."""
        source.close()
        self._before_commit(start)

    def _on_progress(self, reporter: Reporter, progress: Progress) -> None:
        self._stop_if_killed()
        reporter.progress(progress)
