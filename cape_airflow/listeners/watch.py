"""A thread of the scheduler that ends, at the coordinator, the jobs of tasks that Airflow has given up.

It looks every fifteen seconds, from when a DAG with privacy tasks first runs; what the coordinator cannot be told now
is told at one of the next looks. Nothing of it runs in the scheduler's own thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cape_airflow.errors import CapeError, CoordinatorRefused

if TYPE_CHECKING:
    from cape_airflow.client import CoordinatorClient
    from cape_airflow.listeners.dead_tasks import DeadTask

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
CALL_SECONDS = 2.0


class DeathWatch:
    """Looks for tasks that died, and tells their coordinators, each death once.

    Args:
        find: returns the failed privacy tasks of these DAGs.
        connect: returns a client of the coordinator of a connection.
    """

    def __init__(
        self,
        find: Callable[[set[str]], Iterable[DeadTask]],
        connect: Callable[[str], CoordinatorClient],
    ) -> None:
        self._find = find
        self._connect = connect
        self._dag_ids: set[str] = set()
        self._settled: set[DeadTask] = set()
        self._thread: threading.Thread | None = None

    def learn(self, dag_id: str) -> None:
        """Look after a DAG from now on; returns at once."""
        self._dag_ids.add(dag_id)
        if self._thread is None or not self._thread.is_alive():  # or a fork has left it behind
            self._thread = threading.Thread(target=self._go_on, name="cape-death-watch", daemon=True)
            self._thread.start()

    def look(self) -> None:
        """Look once. Whatever fails is logged, without the words of other libraries, and tried again at the next."""
        with _logged("Looking for privacy tasks that died"):
            dead = set(self._find(set(self._dag_ids)))
            self._settled &= dead  # forget those that cannot come up again
            for conn_id in sorted({task.cape_conn_id for task in dead - self._settled}):
                with _logged(f"Telling the coordinator of connection `{conn_id}` that tasks died"):
                    self._tell(conn_id, [task for task in dead - self._settled if task.cape_conn_id == conn_id])

    def _tell(self, conn_id: str, tasks: Iterable[DeadTask]) -> None:
        with self._connect(conn_id) as client:
            for task in tasks:
                end_job(client, task)
                self._settled.add(task)

    def _go_on(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS):
            self.look()


def end_job(client: CoordinatorClient, task: DeadTask) -> None:
    """End the job of a task that died, where the coordinator still takes this try of it for running.

    Raises:
        CoordinatorError: no answer, or none of the coordinator's; ask again.
    """
    from cape_airflow.jobs import JobState
    from cape_airflow.jobs.deaths import presumed_failure
    from cape_airflow.operators.governed import job_id_of

    job_id = job_id_of(task)
    try:
        job = client.job(task.project, job_id)
        if job.state is not JobState.RUNNING or job.origin.get("try_number") != str(task.try_number):
            return
        client.finish_job(task.project, job_id, presumed_failure(job.progress, datetime.now(UTC)))
    except CoordinatorRefused as refusal:
        if refusal.status != 404:  # a job that never began needs no end
            log.warning("The coordinator does not take the end of job %s: %s", job_id, refusal)
        return
    log.info("Job %s of %s.%s has ended: its task died", job_id, task.dag_id, task.task_id)


@contextmanager
def _logged(doing: str) -> Iterator[None]:
    try:
        yield
    except CapeError as error:
        log.warning("%s failed, and will be tried again: %s", doing, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the scheduler goes on
        log.warning("%s failed (%s), and will be tried again", doing, type(error).__name__)


def _in_the_database(dag_ids: set[str]) -> list[DeadTask]:
    from airflow.utils.session import create_session

    from cape_airflow.listeners.dead_tasks import dead_tasks

    with create_session() as session:
        return list(dead_tasks(session, dag_ids, datetime.now(UTC)))


def _client_of(cape_conn_id: str) -> CoordinatorClient:
    from airflow.sdk import BaseHook

    from cape_airflow.client import CoordinatorClient
    from cape_airflow.hooks.address import client_options

    return CoordinatorClient(**{**client_options(BaseHook.get_connection(cape_conn_id)), "deadline": CALL_SECONDS})


WATCH = DeathWatch(_in_the_database, _client_of)
"""The one of this process."""
