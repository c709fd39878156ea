"""What the server remembers of requests."""

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
