"""Keys of projects."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.store.models.base import Base


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
