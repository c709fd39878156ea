"""Makes checkpoints: every minute, every thousand rows, and at the end. What does not verify is not signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from cape_airflow.client.trust import trusted_keys
from cape_airflow.coordinator.audit.checkpoints import Checkpoint, CheckpointFile, sign_checkpoint
from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.audit.verification import Report, verify
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.store.models import AuditRow
from cape_airflow.errors import CoordinatorError

NAME = "checkpoints"


@dataclass(frozen=True)
class Checkpoints:
    """The follower that signs where the chain stands.

    Before it signs, it verifies what was written since the last checkpoint of its file, and that the row of that one is
    as it was: it cannot be made to vouch for what was changed in between.
    """

    coordinator: Coordinator

    @property
    def name(self) -> str:
        """Its name."""
        return NAME

    def due(self, behind: int, idle: timedelta | None) -> bool:
        """Return whether it is time, or there are rows enough. A log at rest gets checkpoints, too: they show it."""
        settings = self.coordinator.settings
        seconds = timedelta(seconds=settings.checkpoint_seconds)
        return behind >= settings.checkpoint_rows or idle is None or idle >= seconds

    def follow(self, after: int, until: int) -> Iterator[int]:
        """Verify, sign, and write outside the database.

        Raises:
            CoordinatorError: the log is not as it was written, or the checkpoint cannot be written.
        """
        coordinator = self.coordinator
        report = self._verified(until)
        signed = sign_checkpoint(coordinator.signer, report.seq, report.head, report.rows, coordinator.clock())
        try:
            self._file().append(signed)
        except OSError as error:
            raise CoordinatorError(f"the checkpoint cannot be written: {error.strerror}") from None
        webhook = coordinator.settings.checkpoint_webhook
        if webhook is not None:
            webhook.send(signed.model_dump_json().encode())
        yield until

    def _verified(self, until: int) -> Report:
        store = self.coordinator.store
        last = self._last()
        report = verify(entries(store.read, last.seq if last else 0, until), [], last)
        if last is not None and last.seq > 0 and self._hash_at(last.seq) != last.head:
            raise CoordinatorError(
                f"the audit log is not as the checkpoint of row {last.seq} has it; nothing is signed"
            )
        if not report.intact:
            raise CoordinatorError(f"the audit log was changed, nothing is signed; {report.findings[0]}")
        return report

    def _last(self) -> Checkpoint | None:
        signed = self._file().last()
        if signed is None:
            return None
        if not signed.genuine(trusted_keys(self.coordinator.signer.public_keys.values())):
            raise CoordinatorError("the last checkpoint in the file is not of this coordinator; nothing is signed")
        return signed.checkpoint

    def _file(self) -> CheckpointFile:
        return CheckpointFile(self.coordinator.settings.checkpoints)

    def _hash_at(self, seq: int) -> str | None:
        with self.coordinator.store.read() as session:
            return session.scalar(select(AuditRow.hash).where(AuditRow.seq == seq))
