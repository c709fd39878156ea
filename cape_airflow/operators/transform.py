"""The operator: an approved policy and data in, de-identified data out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cape_airflow.operators.governed import GovernedOperator, job_id_of
from cape_airflow.operators.mapping import refuse_shared_target
from cape_airflow.operators.storage import filesystem_of, refuse_credentials

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.datasets import Sink, Source
    from cape_airflow.jobs import Progress
    from cape_airflow.operators.reporting import Reporter

__all__ = ["CapeTransformOperator", "job_id_of"]


class CapeTransformOperator(GovernedOperator):
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

    template_fields: Sequence[str] = (
        "project",
        "source",
        "target",
        "policy_digest",
        "policy_file",
        "key_file",
        "cape_conn_id",
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
        **kwargs: Any,
    ) -> None:
        super().__init__(restricting={"source": source, "target": target}, **kwargs)
        refuse_credentials(*(url for url in (source, target) if isinstance(url, str)))  # or the output of a task
        self.source = source
        self.target = target
        self.source_format = source_format
        self.target_format = target_format
        self.source_options = source_options
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id

    def _transform(self, context: Context) -> dict[str, Any]:
        from cape_airflow.engines import run_local
        from cape_airflow.policy import compile_plan

        self._refuse_vanished()
        refuse_shared_target(self)
        refuse_credentials(self.source, self.target)
        policy = self._policy()
        source = self._open_source()
        plan = compile_plan(policy, source.schema)
        self.log.info("%s", plan)
        start = self._job_start(context["ti"], plan, engine="local", source=self.source, target=self.target)
        reporter = self._reporter(start)
        with reporter.told():
            finish = run_local(
                plan,
                self._keys(policy),
                source,
                self._open_sink(start.job_id),
                job_id=start.job_id,
                on_progress=lambda progress: self._on_progress(reporter, progress),
                before_commit=lambda: self._before_commit(start),
            )
        return self._succeeded(context, reporter, start, finish)

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

    def _on_progress(self, reporter: Reporter, progress: Progress) -> None:
        self._stop_if_killed()
        reporter.progress(progress)
