"""What a monitoring system sees: counts of requests of this process, and the state of the whole coordinator.

Names and labels are of routes, states and followers of the log: never a user, a project, or anything that was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit.checkpointing import NAME as CHECKPOINTS
from cape_airflow.coordinator.audit.log import last_seq
from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.store.models import AuditFollower, Job, Suggestion, SuggestionState
from cape_airflow.jobs import JobState

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "cape_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "cape_request_seconds",
            "Time from the first byte asked to the last answered.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Stored(coordinator))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Stored(Collector):
    """Asks the database whenever somebody looks."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that nothing is asked before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield what the database says."""
        with self._coordinator.store.read() as session:
            counted = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
            jobs = {state: number for state, number in counted}  # noqa: C416 - rows of SQLAlchemy, not pairs
            yield _family("cape_jobs", "Jobs.", "state", {state: jobs.get(state, 0) for state in JobState})
            waiting = session.scalar(select(func.count()).where(Suggestion.state == SuggestionState.OPEN)) or 0
            yield GaugeMetricFamily("cape_suggestions_waiting", "Suggestions that wait for approval.", value=waiting)
            end = last_seq(session)
            yield GaugeMetricFamily("cape_audit_rows", "Number of the newest row of the audit log.", value=end)
            yield from self._followers(session, end)

    def _followers(self, session: Session, end: int) -> Iterator[Metric]:
        followers = session.scalars(select(AuditFollower)).all()
        behind = {each.name: end - each.done_seq for each in followers}
        yield _family("cape_audit_behind", "Rows that a follower of the log has yet to see.", "follower", behind)
        trouble = {each.name: int(each.trouble is not None) for each in followers}
        yield _family("cape_audit_trouble", "Whether it cannot go on.", "follower", trouble)
        now = self._coordinator.clock()
        for each in followers:
            if each.name == CHECKPOINTS and each.done_at is not None:
                age = (now - each.done_at).total_seconds()
                yield GaugeMetricFamily("cape_audit_checkpoint_age_seconds", "Age of the last checkpoint.", value=age)


@contextmanager
def exposed(metrics: Metrics, bind: str | None) -> Iterator[None]:
    """Answer everybody who reaches ``address:port`` meanwhile; nobody where that is None.

    Raises:
        OSError: somebody else listens there.
    """
    if bind is None:
        yield
        return
    address, _, port = bind.rpartition(":")
    server, thread = start_http_server(int(port), address, metrics.registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _family(name: str, what: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for each, value in values.items():
        family.add_metric([str(each)], value)
    return family
