"""The operator that reads an output again: does it keep what the policy promises?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from cape_airflow.errors import NotApproved
from cape_airflow.operators.storage import open_source_at, refuse_credentials, told
from cape_airflow.operators.transform import CapeTransformOperator

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.client import Job
    from cape_airflow.datasets import Source
    from cape_airflow.engines.verification import Expected
    from cape_airflow.jobs import Verification
    from cape_airflow.keys import KeyRing
    from cape_airflow.lineage import DatasetName
    from cape_airflow.policy import Plan, Policy


class CapeVerifyOperator(CapeTransformOperator):
    """Reads a written output again, and its source, and holds them against the policy. It writes nothing.

    Checked are: what was dropped is absent, nothing is there that the policy does not know; types; form and key version
    of tokens; that no value of a tokenised or masked column came out, on a sample; the number of rows, against the
    source and the job's report; policy digest and job id in the metadata. What was found is reported to the job.

    Args:
        source: what the job read (templated).
        target: what it wrote (templated).
        job_id: of the job (templated), from the XCom of the operator that wrote; required with a `project`.
        arguments: as for `CapeTransformOperator`; the policy is that of the job, unless another is named.

    Returns (XCom): what was found, as plain data (see `cape_airflow.jobs.Verification`).
    """

    template_fields: Sequence[str] = (*CapeTransformOperator.template_fields, "job_id")

    def __init__(self, *, source: str, target: str, job_id: str | None = None, **arguments: Any) -> None:
        super().__init__(source=source, target=target, **arguments)
        if self.target_mode != "replace":
            raise ValueError("a table that several jobs appended to cannot be verified as the output of one")
        if self.project is not None and job_id is None:
            raise ValueError("give the job_id of the job whose output is verified")
        self.job_id = job_id
        self._given = (*self._given, *(["job_id"] if job_id is not None else []))
        self._job: Job | None = None

    def _transform(self, context: Context) -> dict[str, Any]:
        self._refuse_vanished()
        refuse_credentials(self.source, self.target)
        self._job = self._find_job()
        policy = self._policy()
        with closing(self._open_source()) as source:
            found = self._verified(policy, source)
        self._tell(found)
        return found.model_dump(mode="json")

    def _verified(self, policy: Policy, source: Source) -> Verification:
        from cape_airflow.engines.verification import open_output, verify
        from cape_airflow.policy import compile_plan

        plan = compile_plan(policy, source.schema)
        keys = self._keys(policy)
        expected = self._expected(plan, keys)
        with closing(open_output(plan, self._open_target)) as output:
            return verify(plan, source, output, expected, keys=keys, on_batch=self._stop_if_killed)

    def _open_target(self, options: Mapping[str, Any] | None) -> Source:
        return open_source_at(self.target, self.target_conn_id, self.target_format, options)

    def _find_job(self) -> Job | None:
        """Return the job that wrote, which must have succeeded; None without a project."""
        from cape_airflow.jobs import JobStart, JobState

        if self.project is None or self.job_id is None:
            return None
        job = self.hook.client.job(self.project, self.job_id)
        if job.state is not JobState.SUCCEEDED:
            raise NotApproved(f"job {job.job_id} of project `{self.project}` is {job.state}: it has written nothing")
        self.told_of = JobStart.model_validate(job.model_dump(include=set(JobStart.model_fields)))
        return job

    def _pinned(self, file: Policy | None) -> str | None:
        """Return the digest of the job's policy, where there is a job."""
        pinned = super()._pinned(file)
        if self._job is None:
            return pinned
        if pinned not in (None, self._job.policy_digest):
            raise NotApproved(f"job {self._job.job_id} ran under policy {self._job.policy_digest}, not {pinned}")
        return self._job.policy_digest

    def _expected(self, plan: Plan, keys: KeyRing) -> Expected:
        from cape_airflow.engines.verification import Expected, primary_versions

        if self._job is None or self.project is None:
            return Expected(job_id=self.job_id, versions=primary_versions(plan, keys))
        progress = self._job.progress
        return Expected(
            job_id=self.job_id,
            rows_in=progress.rows_in,
            rows_out=progress.rows_out,
            versions={
                key.name: key.primary_between(self._job.started_at, self._job.heartbeat_at)
                for key in self.hook.client.keys(self.project)
            },
        )

    def _tell(self, found: Verification) -> None:
        """Tell the task log, and the job; what is broken fails the task, whether or not it could be told."""
        from cape_airflow.jobs import Outcome

        for outcome, say in ((Outcome.BROKEN, self.log.error), (Outcome.UNCHECKED, self.log.warning)):
            for verdict in found.of(outcome):
                say("%s", verdict)
        self.log.info("%s: %s", told(self.target), found.describe())
        try:
            if self.project is not None and self.job_id is not None:
                self.hook.client.verify_job(self.project, self.job_id, found)
        finally:
            found.require_kept()

    def _datasets(self) -> tuple[DatasetName | None, DatasetName | None]:
        """Return what is read and written for lineage: the output of the job is read, and nothing is written."""
        _, output = super()._datasets()
        return output, None
