"""Schedulers that are not ours."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.store.models.base import Base
from cape_airflow.coordinator.store.models.jobs import JobApplication


class Scheduler(Base):
    """A scheduler that is not ours: when it was asked, and which replica may ask it now (`coordinator.polling`)."""

    __tablename__ = "schedulers"
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    next_poll_at: Mapped[datetime]
    polled_at: Mapped[datetime | None]
    succeeded_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    lease_owner: Mapped[str | None] = mapped_column(String(26))
    lease_until: Mapped[datetime | None]


class SchedulerJob(Base):
    """A job of another scheduler as it was seen last; `runs` are those of our jobs that its application did."""

    __tablename__ = "scheduler_jobs"
    __table_args__ = (UniqueConstraint("scheduler_seq", "external_id"),)
    id: Mapped[str] = mapped_column(String(26), unique=True)
    scheduler_seq: Mapped[int] = mapped_column(ForeignKey("schedulers.seq"))
    external_id: Mapped[str] = mapped_column(String(700))
    application_id: Mapped[str | None] = mapped_column(String(300), index=True)
    user_name: Mapped[str | None] = mapped_column(String(300), index=True)
    project_label: Mapped[str | None] = mapped_column(String(64), index=True)
    spark: Mapped[bool]
    active: Mapped[bool]
    document: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]
    cancel_asked_at: Mapped[datetime | None]
    scheduler: Mapped[Scheduler] = relationship(lazy="joined", innerjoin=True)
    runs: Mapped[list[JobApplication]] = relationship(
        primaryjoin="SchedulerJob.application_id == foreign(JobApplication.application_id)",
        order_by="JobApplication.seq.desc()",
        lazy="selectin",
        viewonly=True,
    )
