"""What runs elsewhere: the jobs of Spark, YARN, Kubernetes, Mesos and Airflow, in one form.

open_scheduler(Path("schedulers.toml"), "cluster").list_jobs(user="ada")
"""

from __future__ import annotations

from cape_airflow.jobs.schedulers.configuration import SchedulerSettings, load_schedulers, open_scheduler
from cape_airflow.jobs.schedulers.external import ExternalJob, ExternalProgress, ExternalState
from cape_airflow.jobs.schedulers.failures import JobMissing, SchedulerError, SchedulerUnavailable
from cape_airflow.jobs.schedulers.scheduler import Scheduler

__all__ = [
    "ExternalJob",
    "ExternalProgress",
    "ExternalState",
    "JobMissing",
    "Scheduler",
    "SchedulerError",
    "SchedulerSettings",
    "SchedulerUnavailable",
    "load_schedulers",
    "open_scheduler",
]
