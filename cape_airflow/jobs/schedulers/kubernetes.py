"""SparkApplications of the Kubeflow Spark operator, read from the API server of Kubernetes (v1beta2 of its CRD)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field

from cape_airflow.jobs.schedulers.external import (
    ExternalJob,
    ExternalProgress,
    ExternalState,
    Id,
    Line,
    Moment,
    Reading,
    state_of,
)
from cape_airflow.jobs.schedulers.failures import JobMissing, SchedulerError
from cape_airflow.jobs.schedulers.rest import Rest, segment
from cape_airflow.jobs.schedulers.scheduler import Scheduler

_API = "/apis/sparkoperator.k8s.io/v1beta2"
_PAGE = 500
_PAGES = 200

_STATES = {
    **dict.fromkeys(("", "NEW", "SUBMITTED", "PENDING_RERUN", "SUSPENDED", "RESUMING"), ExternalState.WAITING),
    **dict.fromkeys(("RUNNING", "SUCCEEDING", "FAILING", "INVALIDATING", "SUSPENDING"), ExternalState.RUNNING),
    "COMPLETED": ExternalState.SUCCEEDED,
    "FAILED": ExternalState.FAILED,
    "SUBMISSION_FAILED": ExternalState.FAILED,
}


class _Metadata(Reading):
    name: Id
    namespace: Id
    labels: dict[Line, Line] = Field(default_factory=dict)
    created: Annotated[Moment, Field(alias="creationTimestamp")] = None


class _State(Reading):
    state: Line = ""


class _Status(Reading):
    application_id: Annotated[Line, Field(alias="sparkApplicationId")] = ""
    state: Annotated[_State, Field(alias="applicationState")] = _State()
    finished: Annotated[Moment, Field(alias="terminationTime")] = None
    submitted: Annotated[Moment, Field(alias="lastSubmissionAttemptTime")] = None
    executors: Annotated[dict[str, str], Field(alias="executorState")] = Field(default_factory=dict)


class _Spec(Reading):
    user: Annotated[Line | None, Field(alias="proxyUser")] = None


class _Application(Reading):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()

    def job(self) -> ExternalJob:
        meta, status = self.metadata, self.status
        return ExternalJob(
            id=f"{meta.namespace}/{meta.name}",
            name=meta.name,
            user=self.spec.user,
            state=state_of(status.state.state, _STATES),
            word=status.state.state or "NEW",
            application_id=status.application_id or None,
            started=status.submitted or meta.created,
            finished=status.finished,
            queue=meta.namespace,
            tags=tuple(f"{name}={value}" for name, value in sorted(meta.labels.items())),
            progress=ExternalProgress(executors=sum(state == "RUNNING" for state in status.executors.values())),
        )


class _Page(Reading):
    class Metadata(Reading):
        more: Annotated[str, Field(alias="continue")] = ""

    items: tuple[_Application, ...]
    metadata: Metadata = Metadata()


class Kubernetes(Scheduler):
    """The SparkApplications of one namespace, or of all.

    Args:
        rest: at the address of the API server, with the token of a service account and the cluster's CA.
        namespace: None for all that the account may list.
    """

    def __init__(self, rest: Rest, namespace: str | None = None) -> None:
        super().__init__(rest)
        self._place = f"{_API}/namespaces/{segment(namespace)}" if namespace else _API

    def get(self, job_id: str) -> ExternalJob:
        """Return an application by ``namespace/name``."""
        return self._rest.get(_path(job_id), _Application).job()

    def cancel(self, job_id: str) -> None:
        """Delete the SparkApplication: its operator then stops driver and executors, and nothing is left of it."""
        self._rest.send("DELETE", _path(job_id), accepts=(200, 202))

    def _listed(self, since: datetime | None) -> Iterator[ExternalJob]:
        query: dict[str, str | int] = {"limit": _PAGE}
        for _ in range(_PAGES):
            page = self._rest.get(f"{self._place}/sparkapplications", _Page, query)
            yield from (application.job() for application in page.items)
            if not page.metadata.more:
                return
            query["continue"] = page.metadata.more
        raise SchedulerError(f"{self.name}: the list does not end after {_PAGES} pages")


def _path(job_id: str) -> str:
    namespace, slash, name = job_id.partition("/")
    if not slash:
        raise JobMissing("a SparkApplication is found by namespace/name")
    return f"{_API}/namespaces/{segment(namespace)}/sparkapplications/{segment(name)}"
