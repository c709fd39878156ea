"""The tables. `seq` orders rows on every clock; `id` is what the outside knows them by."""

from __future__ import annotations

from cape_airflow.coordinator.store.models.base import Base, Sealed
from cape_airflow.coordinator.store.models.jobs import Job, JobApplication, JobColumn
from cape_airflow.coordinator.store.models.keys import KeyVersion, ProjectKey
from cape_airflow.coordinator.store.models.people import Token, User
from cape_airflow.coordinator.store.models.projects import Contributor, Project
from cape_airflow.coordinator.store.models.records import AuditRow, Replay
from cape_airflow.coordinator.store.models.review import Approval, Comment, SigningKey, Suggestion, SuggestionState
from cape_airflow.coordinator.store.models.schedulers import Scheduler, SchedulerJob

__all__ = [
    "Approval",
    "AuditRow",
    "Base",
    "Comment",
    "Contributor",
    "Job",
    "JobApplication",
    "JobColumn",
    "KeyVersion",
    "Project",
    "ProjectKey",
    "Replay",
    "Scheduler",
    "SchedulerJob",
    "Sealed",
    "SigningKey",
    "Suggestion",
    "SuggestionState",
    "Token",
    "User",
]
