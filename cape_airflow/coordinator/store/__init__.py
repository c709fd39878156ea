"""The coordinator's database: SQLite (WAL, every commit on disk) or PostgreSQL, one behaviour."""

from __future__ import annotations

from cape_airflow.coordinator.store.recording import WritingSession
from cape_airflow.coordinator.store.store import Store, insert_if_absent

__all__ = ["Store", "WritingSession", "insert_if_absent"]
