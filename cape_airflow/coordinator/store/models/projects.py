"""Projects, and who belongs to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cape_airflow.coordinator.permissions import ProjectRole
from cape_airflow.coordinator.store.models.base import Sealed
from cape_airflow.coordinator.store.models.people import User


class Project(Sealed):
    """What owns policies, keys and people."""

    __tablename__ = "projects"
    id: Mapped[str] = mapped_column(String(26), unique=True)
    label: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    description: Mapped[str]
    created_at: Mapped[datetime]


class Contributor(Sealed):
    """The role of one user in one project; of a worker also whether he may reveal what keys have hidden."""

    __tablename__ = "contributors"
    __table_args__ = (UniqueConstraint("project_seq", "user_seq"),)
    project_seq: Mapped[int] = mapped_column(ForeignKey("projects.seq"))
    user_seq: Mapped[int] = mapped_column(ForeignKey("users.seq"), index=True)
    role: Mapped[ProjectRole]
    may_reveal: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    project: Mapped[Project] = relationship()
