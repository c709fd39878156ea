"""The status of jobs: what is reported about a run, and the outbox that delivers it."""

from cape_airflow.jobs.attempts import refuse_superseded
from cape_airflow.jobs.dry_run import DryRun, DryRunColumn, Shape
from cape_airflow.jobs.outbox import Delivery, Outbox
from cape_airflow.jobs.report import ColumnCounts, JobFinish, JobStart, JobState, Progress
from cape_airflow.jobs.verification import Outcome, Verdict, Verification

__all__ = [
    "ColumnCounts",
    "Delivery",
    "DryRun",
    "DryRunColumn",
    "JobFinish",
    "JobStart",
    "JobState",
    "Outbox",
    "Outcome",
    "Progress",
    "Shape",
    "Verdict",
    "Verification",
    "refuse_superseded",
]
