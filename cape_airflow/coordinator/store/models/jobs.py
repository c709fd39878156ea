"""Jobs, as workers report them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.store.models.base import Base
from cape_airflow.coordinator.store.models.projects import Project
from cape_airflow.jobs import JobState


class Job(Base):
    """One run of a plan: what was told at its start, on its way, at its end, and when its output was read again."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("project_seq", "job_id"),
        Index("jobs_of_project", "project_seq", "seq"),
    )
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    job_id: Mapped[str] = mapped_column(String(32))
    state: Mapped[JobState]
    attempts: Mapped[int]
    policy_digest: Mapped[str] = mapped_column(String(64))
    start: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]]
    finish: Mapped[dict[str, Any]]
    heartbeat_at: Mapped[datetime]
    verification: Mapped[dict[str, Any] | None]
    project: Mapped[Project] = relationship()
    columns: Mapped[list[JobColumn]] = relationship(
        lazy="selectin", order_by="JobColumn.position", cascade="all, delete-orphan"
    )


class JobColumn(Base):
    """What one input column got in the newest finished attempt of a job."""

    __tablename__ = "job_columns"
    __table_args__ = (UniqueConstraint("job_seq", "position"),)
    job_seq: Mapped[int] = mapped_column(ForeignKey("jobs.seq"))
    position: Mapped[int]
    name: Mapped[str]
    techniques: Mapped[list[str]]
    decision: Mapped[str]
    value_count: Mapped[int] = mapped_column(BigInteger())
    null_count: Mapped[int] = mapped_column(BigInteger())


class JobApplication(Base):
    """An application of Spark that did the work of a job; a job has one for each attempt that told it."""

    __tablename__ = "job_applications"
    __table_args__ = (UniqueConstraint("job_seq", "application_id"),)
    job_seq: Mapped[int] = mapped_column(ForeignKey("jobs.seq"))
    application_id: Mapped[str] = mapped_column(String(200), index=True)
    job: Mapped[Job] = relationship(lazy="joined", innerjoin=True)
