"""The operator for data that one machine cannot hold: an approved policy, run by Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from cape_airflow.errors import CapeError, DatasetError
from cape_airflow.hooks import settings
from cape_airflow.hooks.spark import session_of
from cape_airflow.operators.governed import GovernedOperator, job_id_of
from cape_airflow.operators.mapping import refuse_shared_target
from cape_airflow.operators.spark_driver import LOG, Driver, clear, private_folder
from cape_airflow.operators.spark_links import SparkHistoryLink, SparkUILink
from cape_airflow.operators.storage import refuse_credentials, refuse_secret_names
from cape_airflow.triggers.spark import CapeSparkTrigger

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.engines.spark.messages import Application, Job, Opened, Status
    from cape_airflow.jobs import JobFinish, JobStart
    from cape_airflow.lineage import DatasetName
    from cape_airflow.operators.reporting import Reporter
    from cape_airflow.policy import Plan, Policy

Mode = Literal["overwrite", "errorifexists", "append"]


class CapeSparkOperator(GovernedOperator):
    """De-identifies a DataFrame of Spark under a policy: all of the output appears, or nothing.

    The policy, its approval, its keys and the job report are those of `CapeTransformOperator`. Spark's driver is a
    process of its own on the worker; it gets the plan and the keys that the plan names through a pipe, and writes where
    nobody looks. When all is written, the coordinator is asked once more whether the policy still is approved; then one
    rename shows the folder. A table of a catalog is written by Spark's own `saveAsTable`, once all has been checked.

    Args:
        source: path, URL or name of a table (templated); None where `build` makes the DataFrame, or for formats that
            need none (jdbc).
        target: folder on a disk that the worker and Spark share, or name of a table (templated).
        source_format: any format that this Spark reads, or ``table``.
        target_format: any format that this Spark writes to files, or ``table``.
        source_options: of the format; no credentials, which belong into the connection.
        target_options: the same, for the output.
        partition_by: columns of the output to partition it by.
        mode: ``overwrite`` (of a folder, only one that we wrote), ``errorifexists``; ``append``, for tables only, may
            append twice where a task is tried again.
        build: function, or its import path ``module:function``: a SparkSession in, a DataFrame out; for a source.
        after: the same: gets the de-identified DataFrame, returns what is to be written.
        conn_id: connection of Airflow's types `spark` or `spark_connect` (see `hooks.spark`).
        conf: properties of Spark; no credentials.
        py_files: for the executors, e.g. what ``python -m cape_airflow.engines.spark.package`` makes (templated).
        history_server: URL of a History Server, for the link on the task.
        deferrable: hold no worker slot while Spark works. The driver goes on as a process on this worker, which must
            live on; the triggerer watches its status in `spool`, and the task that shows the output may run on any
            worker that sees `spool` and the target.
        spool: folder of such drivers, seen by workers and triggerer; None: the folder spark in ``[cape] home``.

    Further arguments: as of `CapeTransformOperator`. Returns (XCom): its keys, and application_id.
    """

    template_fields: Sequence[str] = (
        "project",
        "source",
        "target",
        "policy_digest",
        "policy_file",
        "key_file",
        "py_files",
        "cape_conn_id",
    )
    operator_extra_links = (*GovernedOperator.operator_extra_links, SparkUILink(), SparkHistoryLink())

    def __init__(
        self,
        *,
        target: str,
        source: str | None = None,
        source_format: str = "parquet",
        target_format: str = "parquet",
        source_options: Mapping[str, Any] | None = None,
        target_options: Mapping[str, Any] | None = None,
        partition_by: Sequence[str] = (),
        mode: Mode = "overwrite",
        build: Callable[[Any], Any] | str | None = None,
        after: Callable[[Any], Any] | str | None = None,
        conn_id: str = "spark_default",
        conf: Mapping[str, Any] | None = None,
        py_files: Sequence[str] = (),
        history_server: str | None = None,
        deferrable: bool = False,
        spool: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(restricting={"source": source, "target": target}, **kwargs)
        if (build is not None) == (source is not None) and (build is not None or source_format in {"parquet", "table"}):
            raise ValueError("give a source or a function build, and not both")
        if mode == "append" and target_format != "table":
            raise ValueError("files are written all or nothing: append is for tables")
        refuse_credentials(*(url for url in (source, target, history_server) if isinstance(url, str)))
        refuse_secret_names("conf, source_options and target_options", conf, source_options, target_options)
        self.source = source
        self.target = target
        self.source_format = source_format
        self.target_format = target_format
        self.source_options = dict(source_options or {})
        self.target_options = dict(target_options or {})
        self.partition_by = tuple(partition_by)
        self.mode = mode
        self.build = build
        self.after = after
        self.conn_id = conn_id
        self.conf = dict(conf or {})
        self.py_files = list(py_files)
        self.history_server = history_server
        self.deferrable = deferrable
        self.spool = spool
        self._driver: Driver | None = None

    def on_kill(self) -> None:
        """End the application; there is no output."""
        super().on_kill()
        if self._driver is not None:
            self._driver.stop()

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        start: dict[str, Any],
        folder: str,
        warnings: Sequence[str],
        *,
        lineage: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Show what a driver that was left to itself has written, once the trigger has seen its end.

        Raises:
            AirflowFailException: policy, data or approval are not as they must be; another try would not help.
            AirflowException: the driver is gone, or failed for what may pass.
        """
        self._planned = lineage
        return self._showing_no_values(partial(self._complete, context, event, start, Path(folder), warnings))

    def _transform(self, context: Context) -> dict[str, Any]:
        self._refuse_vanished()
        if self.mode != "append":
            refuse_shared_target(self)
        refuse_credentials(*filter(None, (self.source, self.target)))
        policy = self._policy()
        job = self._job(context["ti"])
        with Driver(self._folder(job.job_id)) as self._driver:
            self._stop_if_killed()
            return self._with_driver(context, self._driver, job, policy)

    def _with_driver(self, context: Context, driver: Driver, job: Job, policy: Policy) -> dict[str, Any]:
        from cape_airflow.engines.spark.messages import Orders

        opened = driver.open(job)
        self._link(context["ti"], opened.application)
        plan = self._plan(policy, opened)
        start = self._start(context["ti"], plan, opened.application)
        orders = Orders.of(plan, self._keys(policy), str(driver.folder) if self.deferrable else None)
        reporter = self._reporter(start)
        if self.deferrable:
            reporter.begin()
            driver.order(orders)
            driver.detach()
            self._defer(start, driver.folder, plan.warnings)
        with reporter.told():
            driver.order(orders)
            for status in driver.statuses():
                self._stop_if_killed()
                reporter.progress(_progress(status), status.stages)
            finish = self._publish(start, status, plan.warnings)
        return self._finished(context, reporter, start, finish)

    def _complete(
        self,
        context: Context,
        event: Mapping[str, Any],
        started: Mapping[str, Any],
        folder: Path,
        warnings: Sequence[str],
    ) -> dict[str, Any]:
        from cape_airflow.engines.spark.desk import read_status
        from cape_airflow.jobs import JobStart

        start = JobStart.model_validate(started)
        reporter = self._reporter(start)
        try:
            if event["status"] == "lost":
                raise DatasetError(
                    f"Spark's driver has not been heard of for {event['seconds']:.0f} s: is its worker gone?"
                )
            status = read_status(folder)
            if status.failure is not None:
                raise status.failure.raised(str(folder / LOG))
            finish = self._publish(start, status, warnings)
        except BaseException as error:
            reporter.fail(error)
            clear(folder, keep_log=True)
            raise
        clear(folder, keep_log=False)
        return self._finished(context, reporter, start, finish)

    def _finished(self, context: Context, reporter: Reporter, start: JobStart, finish: JobFinish) -> dict[str, Any]:
        return {**self._succeeded(context, reporter, start, finish), "application_id": start.application_id}

    def _defer(self, start: JobStart, folder: Path, warnings: Sequence[str]) -> NoReturn:
        self.log.info("Application %s goes on without this worker slot.", start.application_id)
        self.defer(
            trigger=CapeSparkTrigger(folder=str(folder)),
            method_name="execute_complete",
            kwargs={
                "start": start.model_dump(mode="json"),
                "folder": str(folder),
                "warnings": list(warnings),
                "lineage": self._lineage_data(),
            },
        )

    def _folder(self, job_id: str) -> Path:
        """Return a new private folder; where the driver will be left to itself, in place of those of earlier tries."""
        if not self.deferrable:
            return private_folder()
        from cape_airflow.engines.spark.desk import CANCEL

        spool = Path(self.spool) if self.spool else settings.home() / "spark"
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for earlier in spool.glob(f"{job_id}-*"):
            (earlier / CANCEL).touch()
        folder = spool / f"{job_id}-{token_hex(4)}"
        folder.mkdir(mode=0o700)
        return folder

    def _job(self, ti: Any) -> Job:
        from cape_airflow.engines.spark.functions import written_function
        from cape_airflow.engines.spark.messages import Job

        job_id = job_id_of(ti)
        return Job(
            job_id=job_id,
            name=f"cape {ti.dag_id}.{ti.task_id} {job_id[:8]}",
            session=session_of(BaseHook.get_connection(self.conn_id), self.conf, self.py_files),
            source=self.source,
            source_format=self.source_format,
            source_options={key: str(value) for key, value in self.source_options.items()},
            target=self.target if self.target_format == "table" else _shared_path(self.target),
            target_format=self.target_format,
            target_options={key: str(value) for key, value in self.target_options.items()},
            partition_by=self.partition_by,
            mode=self.mode,
            build=written_function(self.build),
            after=written_function(self.after),
        )

    def _plan(self, policy: Policy, opened: Opened) -> Plan:
        from cape_airflow.policy import compile_plan

        plan = compile_plan(policy, opened.arrow_schema())
        self.log.info("%s", plan)
        return plan

    def _start(self, ti: Any, plan: Plan, application: Application) -> JobStart:
        start = self._job_start(ti, plan, engine="spark", source=self._source_name(), target=self.target)
        return start.model_copy(update={"application_id": application.id})

    def _source_name(self) -> str:
        from cape_airflow.engines.spark.functions import name_of

        return self.source or (name_of(self.build) if self.build is not None else self.source_format)

    def _datasets(self) -> tuple[DatasetName | None, DatasetName | None]:
        """Name tables, and what a function makes, by the connection: the catalog behind it is Spark's to know."""
        from cape_airflow.lineage import DatasetName

        source, target = super()._datasets()
        if self.source is None or self.source_format == "table":
            source = DatasetName(f"spark://{self.conn_id}", self._source_name())
        if self.target_format == "table":
            target = DatasetName(f"spark://{self.conn_id}", self.target)
        return source, target

    def _writes_what_was_planned(self) -> bool:
        return self.after is None

    def _link(self, ti: Any, application: Application) -> None:
        """Tell people where to look, from now on."""
        self.log.info("Spark application %s: %s", application.id, application.ui or "no pages")
        if application.ui is not None:
            ti.xcom_push(key=SparkUILink.xcom_key, value=application.ui)
        if self.history_server is not None:
            url = f"{self.history_server.rstrip('/')}/history/{application.id}/"
            ti.xcom_push(key=SparkHistoryLink.xcom_key, value=url)

    def _publish(self, start: JobStart, status: Status, warnings: Sequence[str]) -> JobFinish:
        """Show what was written, if its policy still is approved; return the report."""
        from datetime import UTC, datetime

        from cape_airflow.engines.spark.commit import Staged
        from cape_airflow.jobs import JobFinish, JobState

        if status.staged is not None:
            staged = Staged(_shared_path(self.target), start.job_id)
            staged.adopt(Path(status.staged))
            try:
                self._before_commit(start)
                staged.show()
            finally:
                staged.discard()  # after the rename, what stepped aside; before it, all
        return JobFinish(
            state=JobState.SUCCEEDED,
            progress=_progress(status),
            columns=status.columns,
            warnings=tuple(warnings),
            finished_at=datetime.now(UTC),
        )


def _progress(status: Status) -> Any:
    """Return the progress for the report, which names the application."""
    application = status.application
    return status.progress.model_copy(update={"application_id": application and application.id})


def _shared_path(target: str) -> str:
    """Return the path of a folder on a disk that worker and Spark share."""
    parts = urlsplit(target)
    if parts.scheme not in {"", "file"} or parts.netloc or not parts.path.startswith("/"):
        raise CapeError(
            "Spark writes files to an absolute path on a disk that it shares with the worker, for only there they can "
            "appear all at once; for an object store, name a table (target_format='table')"
        )
    return parts.path.rstrip("/") or "/"
