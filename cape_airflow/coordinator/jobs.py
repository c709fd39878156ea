"""What workers report about their runs. Every report may be sent twice, and counts once.

- The same start again changes nothing; another start of the same job is a new attempt.
- A heartbeat never reopens a finished job.
- The same finish again changes nothing; another one for a finished job is refused.
- That a task died is what others say of it (`jobs.deaths`). They are only believed of a job that runs, and the word of
  the task itself replaces theirs.
- The newest verification of a job's output counts, until the job is started again.
"""

from __future__ import annotations

from sqlalchemy import Select, select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.review import approval_of
from cape_airflow.coordinator.store import insert_if_absent
from cape_airflow.coordinator.store.models import Job, JobApplication, JobColumn
from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart, JobState, Outcome, Progress, Verification
from cape_airflow.jobs.deaths import is_presumed
from cape_airflow.urls import holds_credentials


def start_job(call: Call, report: JobStart) -> tuple[Job, bool]:
    """Note the start of a job, or of a new attempt of it.

    Returns:
        The job, and whether it is new.

    Raises:
        Problem: 409 where its policy is not approved in the project; 422 where it would store credentials.
    """
    _check_start(call, report)
    start = report.model_dump(mode="json")
    new = insert_if_absent(
        call.session,
        Job,
        project_seq=call.project.seq,
        job_id=report.job_id,
        state=JobState.RUNNING,
        attempts=0,
        policy_digest=report.policy_digest,
        start={},
        progress={},
        finish={},
        heartbeat_at=call.now,
    )
    job = _find_for_update(call, report.job_id)
    if job.start != start:
        job.state, job.attempts, job.policy_digest = JobState.RUNNING, job.attempts + 1, report.policy_digest
        job.start, job.progress, job.finish, job.columns, job.verification = start, {}, {}, [], None
        job.heartbeat_at = call.now
        call.record(Event.START_JOB, "job", job.job_id, job.policy_digest)
    _note_application(call, job, report.application_id)
    return job, new


def heartbeat(call: Call, job_id: str, progress: Progress) -> Job:
    """Note how far a job is; one that has finished stays as it is.

    Raises:
        Problem: 404 where it was never started.
    """
    job = _find_for_update(call, job_id)
    if job.state is JobState.RUNNING:
        job.progress, job.heartbeat_at = progress.model_dump(mode="json"), call.now
        _note_application(call, job, progress.application_id)
    return job


def finish_job(call: Call, job_id: str, report: JobFinish) -> Job:
    """Note the end of a job with its counts per column.

    Raises:
        Problem: 404 where it was never started; 409 where it finished otherwise; 422 for a state that is no end.
    """
    if report.state is JobState.RUNNING:
        raise Problem(422, "invalid", "body.state: a job finishes as succeeded or failed")
    job = _find_for_update(call, job_id)
    finish = report.model_dump(mode="json", exclude={"columns", "progress"})
    progress = report.progress.model_dump(mode="json")
    if job.state is not JobState.RUNNING:
        if (job.finish, job.progress, column_counts(job)) == (finish, progress, report.columns):
            return job
        if not is_presumed(job.finish["error"]) or is_presumed(report.error):
            raise Problem(409, "job-finished", "this job has finished already, in another way")
    job.state, job.finish, job.progress = report.state, finish, progress
    job.heartbeat_at = call.now
    job.columns = [_column(position, counts) for position, counts in enumerate(report.columns)]
    _note_application(call, job, report.progress.application_id)
    call.record(Event.FINISH_JOB, "job", job.job_id, job.state)
    return job


def verify_job(call: Call, job_id: str, report: Verification) -> Job:
    """Note what was found when the output of a job was read again.

    Raises:
        Problem: 404 where it was never started; 409 where it has not succeeded, or ran under another policy.
    """
    job = _find_for_update(call, job_id)
    if job.state is not JobState.SUCCEEDED:
        raise Problem(409, "not-succeeded", f"only what a job has written can be verified; this one is {job.state}")
    if job.policy_digest != report.policy_digest:
        raise Problem(409, "digest-mismatch", "the job ran under another policy than the one that was verified")
    found = report.model_dump(mode="json")
    if job.verification != found:
        job.verification = found
        broken = len(report.of(Outcome.BROKEN))
        call.record(Event.VERIFY_JOB, "job", job.job_id, f"{broken} broken" if broken else "kept")
    return job


def column_counts(job: Job) -> tuple[ColumnCounts, ...]:
    """Return what each input column got, in the order reported."""
    return tuple(
        ColumnCounts(
            name=column.name,
            techniques=tuple(column.techniques),
            decision=column.decision,
            values=column.value_count,
            nulls=column.null_count,
        )
        for column in job.columns
    )


def jobs(call: Call) -> Select[Job]:
    """Return the query of the project's jobs."""
    return select(Job).where(Job.project_seq == call.project.seq)


def find_job(call: Call, job_id: str) -> Job:
    """Return one job of the project.

    Raises:
        Problem: 404 where it was never started.
    """
    return _one(call, _query(call, job_id))


def _note_application(call: Call, job: Job, application_id: str | None) -> None:
    """Remember the application of this attempt beside those of the attempts before it."""
    if application_id is not None:
        insert_if_absent(call.session, JobApplication, job_seq=job.seq, application_id=application_id)


def _find_for_update(call: Call, job_id: str) -> Job:
    return _one(call, _query(call, job_id).with_for_update())


def _query(call: Call, job_id: str) -> Select[Job]:
    return jobs(call).where(Job.job_id == job_id)


def _one(call: Call, query: Select[Job]) -> Job:
    job = call.session.scalar(query)
    if job is None:
        raise missing("job")
    return job


def _check_start(call: Call, report: JobStart) -> None:
    for field in ("source", "target"):
        if holds_credentials(getattr(report, field)):
            raise Problem(422, "credentials", f"body.{field}: the URL holds credentials; leave them out")
    if approval_of(call, report.policy_digest) is None:
        raise Problem(409, "policy-not-approved", "the policy of this job is not approved in the project")


def _column(position: int, counts: ColumnCounts) -> JobColumn:
    return JobColumn(
        position=position,
        name=counts.name,
        techniques=list(counts.techniques),
        decision=counts.decision,
        value_count=counts.values,
        null_count=counts.nulls,
    )
