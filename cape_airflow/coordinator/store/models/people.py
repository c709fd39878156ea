"""Users and their API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.permissions import Role
from cape_airflow.coordinator.store.models.base import Sealed


class User(Sealed):
    """A person, or the service account of a worker."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str]
    role: Mapped[Role]
    created_at: Mapped[datetime]


class Token(Sealed):
    """An API token: the digest of its secret, never the secret. Its parent is the token that made it."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), index=True)
    parent_id: Mapped[str | None] = mapped_column(String(26), ForeignKey("tokens.id"), index=True)
    secret_digest: Mapped[bytes]
    description: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
