"""Suggestions, and what became of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.store.models.base import Base, Sealed
from cape_airflow.coordinator.store.models.people import User
from cape_airflow.coordinator.store.models.projects import Project
from cape_airflow.coordinator.store.types import label_of


class SuggestionState(StrEnum):
    """States of a suggestion; `coordinator.review.states` says what leads from one to another."""

    OPEN = "open"
    CHANGES_REQUESTED = "changes-requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class Verdict(StrEnum):
    """What somebody said on a suggestion, or on a policy that was put in force without review."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request-changes"
    REJECT = "reject"
    BREAK_GLASS = "break-glass"
    CONFIRM = "confirm"
    OBJECT = "object"


class Suggestion(Sealed):
    """A proposed policy, as it is now; `revisions` holds all that it has been, this one included.

    Suggestions that were made before there were revisions have none until somebody edits them.
    """

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
    revisions: Mapped[list[Revision]] = relationship(
        lazy="selectin", order_by="Revision.number", back_populates="suggestion"
    )
    reviews: Mapped[list[Review]] = relationship(lazy="selectin", order_by="Review.seq", back_populates="suggestion")


class Revision(Sealed):
    """What a suggestion said from one edit to the next; kept for ever.

    Its base is the digest that was approved when it was written; None where there was none.
    """

    __tablename__ = "revisions"
    __table_args__ = (UniqueConstraint("suggestion_seq", "number"),)
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"))
    number: Mapped[int]
    editor_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"))
    title: Mapped[str]
    description: Mapped[str]
    policy: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    base_digest: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    editor: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    suggestion: Mapped[Suggestion] = relationship(back_populates="revisions")


class Review(Sealed):
    """One verdict on one revision; never changed. `role` is what the reviewer gave it as.

    `via` is where it was said, and which answer there it is, where that was not here; each counts once.
    """

    __tablename__ = "reviews"
    __table_args__ = (Index("reviews_via", "via", unique=True),)
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"), index=True)
    reviewer_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"))
    revision: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[Verdict] = mapped_column(label_of(Verdict))
    role: Mapped[str] = mapped_column(String(32))
    comment: Mapped[str | None]
    created_at: Mapped[datetime]
    via: Mapped[str | None]
    reviewer: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    suggestion: Mapped[Suggestion] = relationship(back_populates="reviews")


class ReviewRule(Sealed):
    """Who must approve in a project, and for how long that counts; without a row the default does."""

    __tablename__ = "review_rules"
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"), unique=True)
    quorum: Mapped[dict[str, Any]]
    valid_days: Mapped[int | None]
    updated_at: Mapped[datetime]
    project: Mapped[Project] = relationship()


class DryRunRow(Base):
    """What a dry run of one revision gave, as its author's worker told it."""

    __tablename__ = "dry_runs"
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"), index=True)
    reporter_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"))
    revision: Mapped[int]
    created_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    reporter: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Comment(Base):
    """What somebody said about a suggestion, or about a line of the policy text of one of its revisions."""

    __tablename__ = "comments"
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"), index=True)
    author_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"))
    text: Mapped[str]
    created_at: Mapped[datetime]
    line: Mapped[int | None]
    revision: Mapped[int | None]
    author: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Approval(Base):
    """A signed approval. The newest of a project is its current policy; older ones stay valid for pinned digests.

    One that was revoked counts no more. A suggestion has two where it was confirmed after the fact.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        Index("approvals_of_project", "project_seq", "seq"),
        Index("approvals_by_digest", "project_seq", "digest", "seq"),
    )
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    suggestion_seq: Mapped[int] = mapped_column(ForeignKey("suggestions.seq"))
    digest: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any]]
    signature: Mapped[bytes]
    revoked_at: Mapped[datetime | None]
    suggestion: Mapped[Suggestion] = relationship(lazy="joined", innerjoin=True)


class SigningKey(Base):
    """An Ed25519 key that approvals are signed with; the private part is wrapped."""

    __tablename__ = "signing_keys"
    key_id: Mapped[str] = mapped_column(String(16), unique=True)
    public_key: Mapped[bytes]
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime]
