"""Users, and what they prove with who they are: API tokens, passwords, sessions, one-time links, other systems."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.permissions import Role, UserKind
from cape_airflow.coordinator.store.models.base import Sealed
from cape_airflow.coordinator.store.types import label_of


class User(Sealed):
    """A person, or the service account of a worker. From `deactivated_at` on he gets in by no way."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str]
    role: Mapped[Role]
    kind: Mapped[UserKind] = mapped_column(label_of(UserKind), server_default=UserKind.PERSON.value)
    created_at: Mapped[datetime]
    deactivated_at: Mapped[datetime | None]


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


class Password(Sealed):
    """What a user's password is checked against: argon2id (RFC 9106) in its encoded form."""

    __tablename__ = "passwords"
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), unique=True)
    encoded: Mapped[str]
    changed_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class BrowserSession(Sealed):
    """A browser that somebody has logged in with."""

    __tablename__ = "browser_sessions"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), index=True)
    secret_digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class OneTimeLink(Sealed):
    """Lets its holder set the user's password, once."""

    __tablename__ = "one_time_links"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), index=True)
    secret_digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class ExternalIdentity(Sealed):
    """Whom another system (an OpenID provider, Airflow) means when it says so: one user, for ever."""

    __tablename__ = "external_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    issuer: Mapped[str] = mapped_column(String(300))
    subject: Mapped[str] = mapped_column(String(300))
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), index=True)
    created_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
