"""What goes wrong between us and a scheduler. No message holds a credential, or what the scheduler answered."""

from __future__ import annotations

from cape_airflow.errors import CapeError


class SchedulerError(CapeError):
    """A scheduler cannot be used: its settings, its answer, or what was asked of it."""


class SchedulerUnavailable(SchedulerError):
    """No answer within the deadline, or a passing failure (408, 429, 5xx): worth another try."""


class JobMissing(SchedulerError):
    """The scheduler knows no job of this id, or not any more."""
