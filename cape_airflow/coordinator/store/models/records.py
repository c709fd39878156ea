"""What the server writes about requests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cape_airflow.coordinator.store.models.base import Base


class Replay(Base):
    """The answer to a POST with an Idempotency-Key, wrapped, for a day."""

    __tablename__ = "replays"
    __table_args__ = (UniqueConstraint("token_seq", "key"),)
    token_seq: Mapped[int] = mapped_column(ForeignKey("tokens.seq"))
    key: Mapped[str] = mapped_column(String(200))
    fingerprint: Mapped[bytes]
    created_at: Mapped[datetime]
    status: Mapped[int]
    wrapped: Mapped[bytes]


class AuditRow(Base):
    """One event, written in the transaction of its effect; triggers refuse to change or delete it."""

    __tablename__ = "audit"
    time: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str | None] = mapped_column(String(26))
    user_email: Mapped[str | None] = mapped_column(String(254))
    project: Mapped[str | None] = mapped_column(String(64))
    target_type: Mapped[str] = mapped_column(String(32))
    target_id: Mapped[str] = mapped_column(String(200))
    target_label: Mapped[str | None]
    request_id: Mapped[str | None] = mapped_column(String(36))
    client_address: Mapped[str | None] = mapped_column(String(64))
