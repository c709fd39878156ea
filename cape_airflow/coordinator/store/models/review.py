"""Suggestions, and what became of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.store.models.base import Base, Sealed
from cape_airflow.coordinator.store.models.people import User
from cape_airflow.coordinator.store.models.projects import Project
from cape_airflow.coordinator.store.types import label_of


class SuggestionState(StrEnum):
    """States of a suggestion; the last two are final."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class Suggestion(Sealed):
    """A proposed policy version; its text never changes."""

    __tablename__ = "suggestions"
    __table_args__ = (Index("suggestions_of_project", "project_seq", "seq"),)
    id: Mapped[str] = mapped_column(String(26), unique=True)
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    title: Mapped[str]
    description: Mapped[str]
    policy: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[SuggestionState] = mapped_column(label_of(SuggestionState))
    author_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"))
    created_at: Mapped[datetime]
    reviewer_seq: Mapped[int | None] = mapped_column(ForeignKey("users.seq"))
    reviewed_at: Mapped[datetime | None]
    review_comment: Mapped[str | None]
    project: Mapped[Project] = relationship()
    author: Mapped[User] = relationship(lazy="selectin", foreign_keys=[author_seq])
    reviewer: Mapped[User | None] = relationship(lazy="selectin", foreign_keys=[reviewer_seq])
    comments: Mapped[list[Comment]] = relationship(lazy="selectin", order_by="Comment.seq")


class Comment(Base):
    """What somebody said about a suggestion."""

    __tablename__ = "comments"
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"), index=True)
    author_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"))
    text: Mapped[str]
    created_at: Mapped[datetime]
    author: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Approval(Base):
    """A signed approval. The newest of a project is its current policy; older ones stay valid for pinned digests."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("approvals_of_project", "project_seq", "seq"),
        Index("approvals_by_digest", "project_seq", "digest", "seq"),
    )
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any]]
    signature: Mapped[bytes]
    suggestion: Mapped[Suggestion] = relationship(lazy="joined", innerjoin=True)


class SigningKey(Base):
    """An Ed25519 key that approvals are signed with; the private part is wrapped."""

    __tablename__ = "signing_keys"
    key_id: Mapped[str] = mapped_column(String(16), unique=True)
    public_key: Mapped[bytes]
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime]
