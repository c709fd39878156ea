"""The tables. `seq` orders rows on every clock; `id` is what the outside knows them by."""

from __future__ import annotations

from cape_airflow.coordinator.store.models.audit import AuditFollower, AuditRow
from cape_airflow.coordinator.store.models.base import Base, Sealed
from cape_airflow.coordinator.store.models.jobs import Job, JobApplication, JobColumn
from cape_airflow.coordinator.store.models.keys import KeyState, KeyVersion, ProjectKey, ServedRootKey
from cape_airflow.coordinator.store.models.people import (
    BrowserSession,
    ExternalIdentity,
    OneTimeLink,
    Password,
    Token,
    User,
)
from cape_airflow.coordinator.store.models.projects import Contributor, Project
from cape_airflow.coordinator.store.models.records import Replay
from cape_airflow.coordinator.store.models.review import (
    Approval,
    Comment,
    DryRunRow,
    Review,
    ReviewRule,
    Revision,
    SigningKey,
    Suggestion,
    SuggestionState,
    Verdict,
)
from cape_airflow.coordinator.store.models.schedulers import Scheduler, SchedulerJob

__all__ = [
    "Approval",
    "AuditFollower",
    "AuditRow",
    "Base",
    "BrowserSession",
    "Comment",
    "Contributor",
    "DryRunRow",
    "ExternalIdentity",
    "Job",
    "JobApplication",
    "JobColumn",
    "KeyState",
    "KeyVersion",
    "OneTimeLink",
    "Password",
    "Project",
    "ProjectKey",
    "Replay",
    "Review",
    "ReviewRule",
    "Revision",
    "Scheduler",
    "SchedulerJob",
    "Sealed",
    "ServedRootKey",
    "SigningKey",
    "Suggestion",
    "SuggestionState",
    "Token",
    "User",
    "Verdict",
]
