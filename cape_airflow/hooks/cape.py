"""The hook: a coordinator as an Airflow connection says where it is. A thin skin over `cape_airflow.client`."""

from __future__ import annotations

import asyncio
import shlex
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from cape_airflow.errors import CapeError, CoordinatorRefused, CoordinatorUnavailable, Superseded
from cape_airflow.hooks import settings
from cape_airflow.hooks.compat import amask_secret

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Connection

    from cape_airflow.client import (
        ApprovedPolicy,
        AsyncCoordinatorClient,
        CoordinatorClient,
        CoordinatorKeys,
        Disclosure,
    )
    from cape_airflow.jobs import JobFinish, JobStart, Outbox, Progress
    from cape_airflow.keys import KeyProvider, KeyRing

# What may as well not arrive holds up the run while it is on its way.
_QUICK_SECONDS = 3.0

_SAME_UID = (
    "This task can read the embedded coordinator's root key: whoever writes DAGs can forge approvals and read every "
    "key. Run tasks under another uid, or the coordinator elsewhere."
)


class CapeHook(BaseHook):
    """Asks a coordinator for policies and keys, and tells it of jobs.

    A report of a job that cannot be delivered is kept in the outbox of this worker, and delivered before the next
    report of any job.

    Args:
        cape_conn_id: connection of type `cape`: host, port, API token as the password, and extras (`ConnectionExtras`).
        require_report: fail where a report cannot be delivered, instead of keeping it.
    """

    conn_name_attr = "cape_conn_id"
    default_conn_name = "cape_default"
    conn_type = "cape"
    hook_name = "Cape coordinator"

    def __init__(self, cape_conn_id: str = default_conn_name, *, require_report: bool = False) -> None:
        super().__init__()
        self.cape_conn_id = cape_conn_id
        self.require_report = require_report
        self._project_keys: CoordinatorKeys | None = None

    @cached_property
    def client(self) -> CoordinatorClient:
        """A client of the coordinator, for all that this hook has no method for."""
        return self._new_client()

    async def async_client(self) -> AsyncCoordinatorClient:
        """Return a client for an event loop; the caller closes it."""
        # In a thread, since the first import takes more than a second, in which the loop serves nobody else.
        connection = await self.aget_connection(self.cape_conn_id)
        client = await asyncio.to_thread(_async_client, connection)
        await amask_secret(_parts_of(connection.password))
        return client

    def get_conn(self) -> CoordinatorClient:
        """Return the client, as Airflow calls it."""
        return self.client

    def get_policy(self, project: str, digest: str | None = None) -> ApprovedPolicy:
        """Return the approved policy of a project, its signature and digest checked.

        Args:
            project: label.
            digest: any digest that was approved in the project; None for the one that is approved now.

        Raises:
            NotApproved: there is none, what came is not what was approved, or its approval has run out.
            CoordinatorError: no answer, or a refusal.
        """
        approved = self.client.policy(project, digest)
        for warning in approved.approval.warnings(datetime.now(UTC)):
            self.log.warning("Project `%s`: %s.", project, warning)
        return approved

    def get_keys(self, project: str, *first: KeyProvider, disclosure: Disclosure | None = None) -> KeyRing:
        """Return the keys of a project, fetched as they are needed; `first` are asked before the coordinator.

        Args:
            project: label.
            disclosure: what tokens are turned back for; None: the keys can only be applied.
        """
        from cape_airflow.client import CoordinatorKeys
        from cape_airflow.hooks.masking import MaskedKeyRing

        if settings.root_key_readable():
            self.log.warning(_SAME_UID)
        self._project_keys = CoordinatorKeys(self.client, project, disclosure)
        return MaskedKeyRing(*first, self._project_keys)

    def confirm(self, project: str, start: JobStart) -> None:
        """Ask once more, just before the output of a job appears, whether it still may.

        Raises:
            NotApproved: the policy no longer is approved.
            KeyUnavailable: a key that was handed over to this hook was retired or destroyed since.
            Superseded: a later attempt of the job has begun.
            CoordinatorError: no answer, or a refusal.
        """
        self.get_policy(project, start.policy_digest)
        if self._project_keys is not None:
            self._project_keys.refuse_withdrawn()
        _refuse_superseded(self.client, project, start)

    def overtaken(self, project: str, start: JobStart) -> bool:
        """Return whether a later attempt of a job is known to have begun; asks for three seconds, or says no."""
        try:
            _refuse_superseded(self._quick, project, start)
        except CapeError as error:
            return isinstance(error, Superseded)
        return False

    def start_job(self, project: str, start: JobStart) -> None:
        """Report that a job starts.

        Raises:
            NotApproved: its policy is not approved in the project.
            CoordinatorRefused: the coordinator refuses this report.
            CoordinatorUnavailable: it could not be delivered, and `require_report` is set.
        """
        self._check(self._outbox.start_job(project, start), start.job_id)

    def heartbeat(self, project: str, job_id: str, progress: Progress) -> None:
        """Tell how far a job is; within three seconds, or not at all.

        Raises:
            CoordinatorError: it did not arrive. A heartbeat is not kept for later.
        """
        self._quick.heartbeat(project, job_id, progress)

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> None:
        """Report how a job ended.

        Raises:
            CoordinatorRefused: the coordinator refuses this report.
            CoordinatorUnavailable: it could not be delivered, and `require_report` is set.
        """
        self._check(self._outbox.finish_job(project, job_id, finish), job_id)

    def job_url(self, project: str, job_id: str) -> str:
        """Return where the coordinator shows a job."""
        from cape_airflow.client.address import path_of

        return self.client.base_url + path_of("projects", project, "jobs", job_id)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the coordinator who we are; for the button of Airflow's connection form."""
        try:
            me = self.client.me()
        except CapeError as error:
            return False, str(error)
        return True, f"{self.client.base_url} knows this token as {me.email}"

    @cached_property
    def _options(self) -> dict[str, Any]:
        from cape_airflow.hooks.address import client_options
        from cape_airflow.keys import Secret

        options = client_options(self.get_connection(self.cape_conn_id))
        mask_secret(_parts_of(options["token"]))
        return {**options, "token": Secret(options["token"].encode())}

    def _new_client(self, **changed: Any) -> CoordinatorClient:
        from cape_airflow.client import CoordinatorClient

        return CoordinatorClient(**{**self._options, **changed})

    @cached_property
    def _quick(self) -> CoordinatorClient:
        return self._new_client(deadline=min(_QUICK_SECONDS, self._options["deadline"]))

    @cached_property
    def _outbox(self) -> Outbox:
        from cape_airflow.jobs import Outbox

        return Outbox(settings.outbox_folder(), self.client)

    def _check(self, delivered: bool, job_id: str) -> None:
        if delivered:
            return
        kept = f"a report of job {job_id} could not be delivered; it is kept in {settings.outbox_folder()}"
        if self.require_report:
            raise CoordinatorUnavailable(kept)
        command = f"cape jobs flush --outbox {shlex.quote(str(settings.outbox_folder()))}"
        self.log.warning("%s, and will be sent with the next report, or by: %s", kept, command)


def _refuse_superseded(client: CoordinatorClient, project: str, start: JobStart) -> None:
    """Refuse to go on where a later attempt of the job has begun: this one is a ghost that Airflow gave up."""
    from cape_airflow.jobs import refuse_superseded

    try:
        newest = client.job(project, start.job_id)
    except CoordinatorRefused as refusal:
        if refusal.status == 404:  # the report of its start still is in the outbox
            return
        raise
    refuse_superseded(start, newest.origin, newest.started_at)


def _parts_of(token: str | None) -> list[Any]:
    """Return what the masker is to know of a token: the whole of it, and its secret part alone."""
    return [token, token.rpartition(",")[2]] if token else []


def _async_client(connection: Connection) -> AsyncCoordinatorClient:
    from cape_airflow.client import AsyncCoordinatorClient
    from cape_airflow.hooks.address import client_options

    return AsyncCoordinatorClient(**client_options(connection))
