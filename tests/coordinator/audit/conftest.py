"""A log of some rows, and somebody who can do anything with the database."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from cape_airflow.coordinator.audit.checkpoints import Checkpoint, CheckpointFile
from cape_airflow.coordinator.audit.following import Watch, followers_of
from cape_airflow.coordinator.audit.log import entries, last_seq
from cape_airflow.coordinator.audit.verification import Report, verify
from cape_airflow.coordinator.call import Coordinator


@dataclass(frozen=True)
class Log:
    """The audit log of a deployment."""

    deployment: Any

    @property
    def coordinator(self) -> Coordinator:
        found: Coordinator = self.deployment.app.state.coordinator
        return found

    @property
    def end(self) -> int:
        with self.coordinator.store.read() as session:
            return last_seq(session)

    def grow(self, rows: int) -> None:
        """Have so many more rows written, each by a request."""
        for _ in range(rows):
            body = {"name": f"p {secrets.token_hex(4)}"}
            self.deployment.done("POST", "/v1/projects", self.deployment.admin, body)

    def follow(self, name: str = "checkpoints") -> None:
        """Have one follower do what is due."""
        follower = next(each for each in followers_of(self.coordinator) if each.name == name)
        Watch(self.coordinator, follower, owner="test").round()

    def checkpoints(self) -> list[Checkpoint]:
        return [signed.checkpoint for signed in CheckpointFile(self.coordinator.settings.checkpoints).read()]

    def verify(self) -> Report:
        return verify(entries(self.coordinator.store.read, 0, self.end), self.checkpoints())

    def tamper(self, *statements: str) -> None:
        """Run statements as somebody who owns the database, and knows of the triggers."""
        postgresql = self.coordinator.store.engine.dialect.name == "postgresql"
        with self.coordinator.store.connect_for_writing() as connection, connection.begin():
            if postgresql:
                connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
            else:
                for trigger in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            for statement in statements:
                connection.execute(text(statement))


@pytest.fixture
def log(deployment: Any) -> Log:
    """A log of at least twenty rows."""
    found = Log(deployment)
    found.grow(max(0, 20 - found.end))
    return found


@pytest.fixture
def log_of(maker: Any) -> Callable[..., Log]:
    """Make a log with settings of its own."""

    def make(**settings: Any) -> Log:
        return Log(maker.deployment(**settings))

    return make
