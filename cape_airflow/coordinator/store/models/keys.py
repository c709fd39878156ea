"""Keys of projects, and the root key where a key service keeps it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.store.models.base import Base, Sealed
from cape_airflow.coordinator.store.models.projects import Project
from cape_airflow.coordinator.store.types import label_of


class KeyState(StrEnum):
    """What a version of a key is good for (NIST SP 800-57 part 1 section 7); it only ever goes down this list."""

    ENABLED = "enabled"
    RETIRED = "retired"
    DESTROYED = "destroyed"


class ProjectKey(Sealed):
    """A key of a project, by name. Its newest version is the primary one, always."""

    __tablename__ = "project_keys"
    __table_args__ = (UniqueConstraint("project_seq", "name"),)
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    name: Mapped[str] = mapped_column(String(200))
    length: Mapped[int]
    primary: Mapped[int] = mapped_column("primary_version")
    rotate_after_days: Mapped[int | None]
    created_at: Mapped[datetime]
    project: Mapped[Project] = relationship()
    versions: Mapped[list[KeyVersion]] = relationship(
        lazy="selectin", order_by="KeyVersion.version", back_populates="key"
    )


class KeyVersion(Sealed):
    """The wrapped material of one version of a project key; none once it is destroyed."""

    __tablename__ = "key_versions"
    __table_args__ = (UniqueConstraint("key_seq", "version"),)
    key_seq: Mapped[int] = mapped_column(ForeignKey("project_keys.seq"))
    version: Mapped[int]
    state: Mapped[KeyState] = mapped_column(label_of(KeyState))
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    destroyed_at: Mapped[datetime | None]
    key: Mapped[ProjectKey] = relationship(back_populates="versions")


class ServedRootKey(Base):
    """The root key of a deployment whose key service keeps the key that wraps it; see `coordinator.root_keys`."""

    __tablename__ = "served_root_keys"
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime]
