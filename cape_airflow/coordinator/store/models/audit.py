"""The audit log, and how far those who follow it are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from cape_airflow.coordinator.store.models.base import Base


class AuditRow(Base):
    """One event, written in the transaction of its effect; triggers refuse to change or delete it.

    `seq`, `previous` and `hash` are given in the last moment before the commit: see `coordinator.store.recording`.
    """

    __tablename__ = "audit"
    time: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(64), index=True)
    user_id: Mapped[str | None] = mapped_column(String(26))
    user_email: Mapped[str | None] = mapped_column(String(254), index=True)
    project: Mapped[str | None] = mapped_column(String(64), index=True)
    target_type: Mapped[str] = mapped_column(String(32))
    target_id: Mapped[str] = mapped_column(String(200), index=True)
    target_label: Mapped[str | None]
    request_id: Mapped[str | None] = mapped_column(String(36))
    client_address: Mapped[str | None] = mapped_column(String(64))
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditFollower(Base):
    """Who reads the log to its end again and again: the checkpoints, and each sink. One replica does it at a time.

    `done_seq` is the newest row that it is through with, `done_at` when; `trouble` why it is not further.
    """

    __tablename__ = "audit_followers"
    name: Mapped[str] = mapped_column(String(64), unique=True)
    done_seq: Mapped[int] = mapped_column(BigInteger)
    done_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    lease_owner: Mapped[str | None] = mapped_column(String(26))
    lease_until: Mapped[datetime | None]
