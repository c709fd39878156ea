"""What all tables share. `seq` orders rows on every clock; `id` is what the outside knows them by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cape_airflow.coordinator.permissions import ProjectRole, Role
from cape_airflow.coordinator.store.types import UtcDateTime, label_of
from cape_airflow.jobs import JobState


class Base(DeclarativeBase):
    """Rows in the order in which they were inserted."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's declaration, a class variable by its nature
        datetime: UtcDateTime(),
        str: Text(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        Role: label_of(Role),
        ProjectRole: label_of(ProjectRole),
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
