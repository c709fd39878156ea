"""The tables. `seq` orders rows on every clock; `id` is what the outside knows them by."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cape_airflow.coordinator.permissions import ProjectRole, Role
from cape_airflow.coordinator.store.types import UtcDateTime, label_of
from cape_airflow.jobs import JobState


class SuggestionState(StrEnum):
    """States of a suggestion; the last two are final."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class Base(DeclarativeBase):
    """Rows in the order in which they were inserted."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's declaration, a class variable by its nature
        datetime: UtcDateTime(),
        str: Text(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        Role: label_of(Role),
        ProjectRole: label_of(ProjectRole),
        SuggestionState: label_of(SuggestionState),
        JobState: label_of(JobState),
    }

    # Names that a later migration can refer to, on both databases.
    metadata = MetaData(
        naming_convention={
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
        }
    )

    # SQLite numbers rows by itself only where the key is exactly INTEGER.
    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)


class Sealed(Base):
    """A row that decides: nobody can make or change one in the database alone; see `coordinator.seals`."""

    __abstract__ = True
    seal: Mapped[bytes]


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


class Project(Sealed):
    """What owns policies, keys and people."""

    __tablename__ = "projects"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    label: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    description: Mapped[str]
    created_at: Mapped[datetime]


class Contributor(Sealed):
    """The role of one user in one project."""

    __tablename__ = "contributors"
    __table_args__ = (UniqueConstraint("project_seq", "user_seq"),)
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), index=True)
    role: Mapped[ProjectRole]
    created_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    project: Mapped[Project] = relationship()


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
    state: Mapped[SuggestionState]
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


class ProjectKey(Base):
    """A key of a project, by name."""

    __tablename__ = "project_keys"
    __table_args__ = (UniqueConstraint("project_seq", "name"),)
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    name: Mapped[str] = mapped_column(String(200))
    length: Mapped[int]
    primary: Mapped[int] = mapped_column("primary_version")
    created_at: Mapped[datetime]
    versions: Mapped[list[KeyVersion]] = relationship(lazy="selectin", order_by="KeyVersion.version")


class KeyVersion(Base):
    """The wrapped material of one version of a project key."""

    __tablename__ = "key_versions"
    __table_args__ = (UniqueConstraint("key_seq", "version"),)
    key_seq: Mapped[int] = mapped_column(ForeignKey("project_keys.seq"))
    version: Mapped[int]
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime]


class Job(Base):
    """One run of a plan: what was told at its start, on its way and at its end."""

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
