"""Asks the other schedulers what they run, and cancels there what an admin wants cancelled.

Any number of replicas may poll. A lease in the row of a scheduler lets one of them ask it at a time; a replica that
dies is replaced when its lease ends, and one that comes back too late throws away what it brings.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event as Signal
from threading import Thread

from pydantic import TypeAdapter
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.store import insert_if_absent
from cape_airflow.coordinator.store.models import AuditRow, Scheduler, SchedulerJob
from cape_airflow.errors import CapeError
from cape_airflow.jobs.schedulers import (
    ExternalJob,
    ExternalState,
    SchedulerSettings,
    SchedulerUnavailable,
    load_schedulers,
)

log = logging.getLogger(__name__)

_LEASE = timedelta(minutes=10)
_OVERLAP = timedelta(hours=1)
_FIRST_LOOK = timedelta(days=1)
_KEPT = timedelta(days=30)
_TICK_SECONDS = 5.0
_JITTER = 0.2
_AT_ONCE = 500
_NOT_LISTED = "not listed any more"
_document = TypeAdapter(ExternalJob)


@dataclass(frozen=True)
class Poller:
    """What one replica does about the schedulers of its settings.

    Args:
        owner: this replica, in leases.
    """

    coordinator: Coordinator
    schedulers: Mapping[str, SchedulerSettings]
    owner: str = field(default="", kw_only=True)

    @classmethod
    def configured(cls, coordinator: Coordinator) -> Poller | None:
        """Return the poller that the settings ask for; None where they name no schedulers.

        Raises:
            SchedulerError: the file that they name makes no sense.
        """
        path = coordinator.settings.schedulers
        if path is None:
            return None
        return cls(coordinator, load_schedulers(path.expanduser()), owner=new_id(coordinator.clock()))

    def run(self, stop: Signal) -> None:
        """Ask each scheduler whenever it is due, until told to stop."""
        while not stop.is_set():
            try:
                self.round()
            except Exception:  # a thread that ended would look like schedulers at rest
                log.exception("the schedulers could not be asked; trying again")
            stop.wait(_TICK_SECONDS)

    def round(self) -> None:
        """Ask those schedulers that are due, and that no other replica asks at this moment."""
        for name, settings in self.schedulers.items():
            row = self._take(name, settings)
            if row is not None:
                self._ask(row, settings)

    def _take(self, name: str, settings: SchedulerSettings) -> Scheduler | None:
        """Take the lease of a scheduler that is due; None where it is not, or another replica has it."""
        now = self.coordinator.clock()
        # A cancellation is due at once, but where the scheduler was in trouble the last time.
        cancels = exists().where(
            SchedulerJob.scheduler_seq == Scheduler.seq,
            SchedulerJob.cancel_asked_at.is_not(None),
            Scheduler.trouble.is_(None),
        )
        with self.coordinator.store.write() as session:
            insert_if_absent(session, Scheduler, name=name, kind=settings.type, next_poll_at=now)
            row = session.scalar(
                update(Scheduler)
                .where(Scheduler.name == name, or_(Scheduler.next_poll_at <= now, cancels))
                .where(or_(Scheduler.lease_until.is_(None), Scheduler.lease_until <= now))
                .values(lease_owner=self.owner, lease_until=now + _LEASE, kind=settings.type)
                .returning(Scheduler)
            )
            session.commit()
            return row

    def _ask(self, row: Scheduler, settings: SchedulerSettings) -> None:
        now = self.coordinator.clock()
        since = row.succeeded_at - _OVERLAP if row.succeeded_at else now - _FIRST_LOOK
        found: tuple[ExternalJob, ...] | None = None
        trouble = None
        try:
            self._cancel(row, settings)
            found = settings.open(row.name).list_jobs(since)
        except CapeError as error:
            trouble = str(error)
            log.warning("scheduler %s: %s", row.name, trouble)
        with self.coordinator.store.write() as session:
            if self._give_back(session, row, now, trouble) and found is not None:
                _keep(session, row.seq, settings, found, now)
            session.commit()

    def _give_back(self, session: Session, row: Scheduler, now: datetime, trouble: str | None) -> bool:
        """End the lease and say when to ask again; False where another replica has taken it over meanwhile."""
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - replicas and schedulers out of step, no secret
        values = {
            "lease_owner": None,
            "lease_until": None,
            "next_poll_at": now + timedelta(seconds=self.coordinator.settings.poll_seconds * spread),
            "polled_at": now,
            "trouble": trouble,
        } | ({"succeeded_at": now} if trouble is None else {})
        ours = update(Scheduler).where(Scheduler.seq == row.seq, Scheduler.lease_owner == self.owner)
        return session.scalar(ours.values(values).returning(Scheduler.seq)) is not None

    def _cancel(self, row: Scheduler, settings: SchedulerSettings) -> None:
        """Cancel what is to be cancelled; what cannot be reached now is tried again the next time."""
        with self.coordinator.store.read() as session:
            asked = session.scalars(
                select(SchedulerJob).where(
                    SchedulerJob.scheduler_seq == row.seq, SchedulerJob.cancel_asked_at.is_not(None)
                )
            ).all()
        for job in asked:
            event, said = Event.CANCEL, f"{row.name} {job.external_id}"
            try:
                settings.open(row.name).cancel(job.external_id)
            except SchedulerUnavailable:
                raise
            except CapeError as error:
                event, said = Event.CANCEL_REFUSED, f"{said}: {error}"
            self._note_cancelled(job, event, said)

    def _note_cancelled(self, job: SchedulerJob, event: Event, said: str) -> None:
        now = self.coordinator.clock()
        with self.coordinator.store.write() as session:
            session.execute(update(SchedulerJob).where(SchedulerJob.seq == job.seq).values(cancel_asked_at=None))
            session.add(
                AuditRow(time=now, event=event.value, target_type="scheduler-job", target_id=job.id, target_label=said)
            )
            session.commit()


@contextmanager
def polling(poller: Poller | None) -> Iterator[None]:
    """Poll in a thread of its own meanwhile."""
    if poller is None:
        yield
        return
    stop = Signal()
    thread = Thread(target=poller.run, args=(stop,), name="cape-schedulers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_TICK_SECONDS)


def _keep(
    session: Session, scheduler: int, settings: SchedulerSettings, found: Iterable[ExternalJob], now: datetime
) -> None:
    """Write down what a scheduler lists; what it does not list any more does not run."""
    jobs = {job.id: job for job in found}
    rows = _rows(session, scheduler, list(jobs))
    for external_id, job in jobs.items():
        row = rows.get(external_id)
        if row is None:
            row = SchedulerJob(id=new_id(now), scheduler_seq=scheduler, external_id=external_id)
            session.add(row)
        row.application_id, row.user_name = job.application_id, job.user
        row.project_label, row.spark, row.active = settings.project_of(job), job.spark, job.state.active
        row.document, row.seen_at = _document.dump_python(job, mode="json"), now
        row.cancel_asked_at = row.cancel_asked_at if row.active else None
    of_this = SchedulerJob.scheduler_seq == scheduler
    for row in session.scalars(select(SchedulerJob).where(of_this, SchedulerJob.active)):
        if row.external_id not in jobs:
            row.active, row.cancel_asked_at = False, None
            row.document = row.document | {"state": ExternalState.UNKNOWN.value, "word": _NOT_LISTED}
    session.execute(delete(SchedulerJob).where(of_this, ~SchedulerJob.active, SchedulerJob.seen_at < now - _KEPT))


def _rows(session: Session, scheduler: int, external_ids: list[str]) -> dict[str, SchedulerJob]:
    """Return the rows that are there of these jobs, asked for in parts that a statement can take."""
    found: dict[str, SchedulerJob] = {}
    for start in range(0, len(external_ids), _AT_ONCE):
        part = external_ids[start : start + _AT_ONCE]
        query = select(SchedulerJob).where(SchedulerJob.scheduler_seq == scheduler, SchedulerJob.external_id.in_(part))
        found |= {row.external_id: row for row in session.scalars(query)}
    return found
