"""Those who follow the log to its end, again and again: the checkpoints and the sinks.

Each has a row that says how far it is, and a lease in it, so that one replica at a time does its work; one that dies is
replaced when its lease ends. Each has a thread of its own: a sink that hangs holds up nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event as Signal
from threading import Thread
from typing import Protocol

from sqlalchemy import or_, select, update

from cape_airflow.coordinator.audit.checkpointing import Checkpoints
from cape_airflow.coordinator.audit.delivery import Delivery
from cape_airflow.coordinator.audit.log import last_seq
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.store import insert_if_absent
from cape_airflow.coordinator.store.models import AuditFollower
from cape_airflow.errors import CapeError

log = logging.getLogger(__name__)

_LEASE = timedelta(minutes=5)
_PATIENCE = timedelta(seconds=10)
_TICK_SECONDS = 0.5
_FAREWELL_SECONDS = 10.0


class Follower(Protocol):
    """Somebody who follows the log.

    Args:
        name: of its row; the same in all replicas.
    """

    @property
    def name(self) -> str:
        """Its name."""

    def due(self, behind: int, idle: timedelta | None) -> bool:
        """Return whether there is something to do.

        Args:
            behind: how many rows are new to it.
            idle: how long ago it did something; None for never.
        """

    def follow(self, after: int, until: int) -> Iterator[int]:
        """Work on the rows above `after` up to `until`, yielding how far it is whenever that is safe to remember.

        Raises:
            CapeError: it cannot go on now; it is asked again later.
        """


@dataclass(frozen=True)
class Watch:
    """What one replica does for one follower.

    Args:
        owner: this replica, in leases.
    """

    coordinator: Coordinator
    follower: Follower
    owner: str = field(default="", kw_only=True)

    def run(self, stop: Signal) -> None:
        """Follow until told to stop, and then once more to the end."""
        while not stop.wait(_TICK_SECONDS):
            self._try_round()
        self._try_round(last=True)

    def round(self, *, last: bool = False) -> None:
        """Do what is due, unless another replica does it at this moment.

        Args:
            last: do it though it is not due, where there are new rows.
        """
        row, end = self._look()
        now = self.coordinator.clock()
        idle = now - row.done_at if row.done_at else None
        held_off = row.lease_until is not None and row.lease_until > now
        due = self.follower.due(end - row.done_seq, idle) or (last and end > row.done_seq)
        # Taking the lease commits after `end` was read, and waits for the disk: no row up to it can be lost any more.
        if due and not held_off and self._take(now):
            self._follow(row.done_seq, end)

    def _try_round(self, *, last: bool = False) -> None:
        try:
            self.round(last=last)
        except Exception:  # a thread that ended would look like a log at rest
            log.exception("%s could not follow the audit log; trying again", self.follower.name)

    def _look(self) -> tuple[AuditFollower, int]:
        query = select(AuditFollower).where(AuditFollower.name == self.follower.name)
        with self.coordinator.store.read() as session:
            row = session.scalar(query)
            if row is not None:
                return row, last_seq(session)
        with self.coordinator.store.write() as session:
            insert_if_absent(session, AuditFollower, name=self.follower.name, done_seq=0)
            session.commit()
        return self._look()

    def _take(self, now: datetime) -> bool:
        free = or_(AuditFollower.lease_until.is_(None), AuditFollower.lease_until <= now)
        statement = update(AuditFollower).where(AuditFollower.name == self.follower.name, free)
        with self.coordinator.store.write() as session:
            taken = session.scalar(
                statement.values(lease_owner=self.owner, lease_until=now + _LEASE).returning(AuditFollower.seq)
            )
            session.commit()
        return taken is not None

    def _follow(self, after: int, until: int) -> None:
        trouble = None
        try:
            for done in self.follower.follow(after, until):
                now = self.coordinator.clock()
                if not self._note(done_seq=done, done_at=now, trouble=None, lease_until=now + _LEASE):
                    log.warning("another replica follows the audit log as %s by now", self.follower.name)
                    return
        except CapeError as error:
            trouble = str(error)
            log.error("%s: %s", self.follower.name, trouble)
        if trouble is None:
            self._note(lease_owner=None, lease_until=None)
        else:
            self._note(lease_owner=None, lease_until=self.coordinator.clock() + _PATIENCE, trouble=trouble)

    def _note(self, **values: object) -> bool:
        """Write down how it stands; False where another replica has taken the lease over meanwhile."""
        ours = update(AuditFollower).where(
            AuditFollower.name == self.follower.name, AuditFollower.lease_owner == self.owner
        )
        with self.coordinator.store.write() as session:
            noted = session.scalar(ours.values(values).returning(AuditFollower.seq))
            session.commit()
        return noted is not None


@contextmanager
def following(coordinator: Coordinator, followers: Sequence[Follower]) -> Iterator[None]:
    """Have them follow the log in threads of their own meanwhile, and to its end afterwards."""
    stop = Signal()
    owner = new_id(coordinator.clock())
    with ExitStack() as farewell:
        for follower in followers:
            watch = Watch(coordinator, follower, owner=owner)
            thread = Thread(target=watch.run, args=(stop,), name=f"cape-audit-{follower.name}", daemon=True)
            farewell.callback(thread.join, _FAREWELL_SECONDS)
            thread.start()
        farewell.callback(stop.set)
        yield


def followers_of(coordinator: Coordinator) -> list[Follower]:
    """Return those that the settings ask for."""
    sinks = coordinator.settings.audit_sinks
    deliveries = [Delivery(coordinator.store, label, settings) for label, settings in sinks.items()]
    return [Checkpoints(coordinator), *deliveries]
