"""`CapeSparkOperator` in a real Airflow, on a real standalone cluster and a real Connect server."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG
from airflow.utils.state import DagRunState

from cape_airflow import apply
from cape_airflow.hooks.compat import AirflowException
from cape_airflow.keys import FileKeys, add_key
from cape_airflow.operators.spark import CapeSparkOperator
from cape_airflow.operators.spark_links import SparkUILink
from tests.airflow.conftest import wait_for
from tests.airflow.coordinator import POLICY, People, connected, own_outbox, people, project
from tests.airflow.spark_cluster import Cluster, cluster, connect_server

__all__ = ["cluster", "connect_server", "connected", "own_outbox", "people", "project"]

pytestmark = [pytest.mark.integration]

ROWS = 20_000


def _rows() -> pa.Table:
    emails = [None if place % 7 == 0 else f"user{place % 5000}@example.com" for place in range(ROWS)]
    return pa.table({"email": emails, "country": [("NL", "DE", "XX")[place % 3] for place in range(ROWS)]})


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by([("email", "ascending"), ("country", "ascending")])


def behind_a_gate(spark: Any, gate: str) -> Any:
    """Return the rows in four partitions, the last of which waits until there is a file."""

    def wait(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import time
        from pathlib import Path

        deadline = time.monotonic() + 300
        for batch in batches:
            while batch.column("place")[0].as_py() >= 15_000 and not Path(gate).exists():
                if time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(0.05)
            yield batch.select(["email", "country"])

    rows = spark.range(0, 20_000, 1, 4).selectExpr(
        "id AS place",
        "if(id % 7 = 0, NULL, concat('user', id % 5000, '@example.com')) AS email",
        "element_at(array('NL', 'DE', 'XX'), cast(id % 3 AS int) + 1) AS country",
    )
    return rows.mapInArrow(wait, "email string, country string")


class Work:
    """A policy, keys, a source and an operator for them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target, self.gate = folder / "customers", folder / "deidentified", folder / "gate"
        self.source.mkdir()
        pq.write_table(_rows(), self.source / "part-0.parquet", row_group_size=2000)
        self.policy, self.keys = folder / "policy.yaml", folder / "keys.json"
        self.policy.write_text(POLICY)
        add_key(self.keys, "customer-id")
        self.sent: dict[str, Any] = {}

    def context(self) -> dict[str, Any]:
        names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": -1, "try_number": 1}
        return {"ti": SimpleNamespace(**names, xcom_push=self._push)}

    def _push(self, key: str, value: Any) -> None:
        self.sent[key] = value

    def operator(self, **changed: Any) -> CapeSparkOperator:
        given = {"policy_file": str(self.policy), "key_file": str(self.keys), "source": str(self.source)} | changed
        return CapeSparkOperator(task_id="deidentify", target=str(self.target), **given)

    def gated(self, cluster: Cluster) -> CapeSparkOperator:
        gate = str(self.gate)
        return self.operator(
            source=None,
            build=lambda spark: behind_a_gate(spark, gate),
            conf=cluster.conf,
            py_files=[str(cluster.package)],
        )

    def wait_for_first_rows(self, running: Future[Any]) -> None:
        """Wait until a task has written its part, while another waits at the gate."""

        def written() -> bool:
            if running.done():
                running.result()
            return any(self.target.parent.glob(".*cape-*/_temporary/0/task_*"))

        wait_for("rows of a first task", written, seconds=300, every=0.1)

    def check_output(self) -> None:
        """The output is what the Arrow engine makes of the same rows, and nothing else is left of the work."""
        expected = apply(POLICY, _rows(), keys=FileKeys(self.keys))
        found = pq.read_table(self.target)
        assert _sorted(found).equals(_sorted(expected))
        assert self.leftovers() == []

    def leftovers(self) -> list[str]:
        return [path.name for path in self.target.parent.glob(".*cape*")]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


@pytest.fixture
def on_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    connection = {"conn_type": "spark", "host": cluster.master}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    return cluster


@pytest.fixture
def in_background() -> Iterator[Callable[[CapeSparkOperator, Work], Future[Any]]]:
    with ThreadPoolExecutor(1) as pool:
        yield lambda operator, work: pool.submit(operator.execute, work.context())


@pytest.fixture(scope="module")
def metadata_database() -> None:
    from airflow.utils import db

    db.initdb()


def _test_dag(dag: DAG) -> Any:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "testing", None)
    return dag.test()


@pytest.mark.usefixtures("connected", "metadata_database")
def test_the_approved_policy_runs_on_executors_that_have_no_airflow(
    people: People, project: str, on_cluster: Cluster, work: Work
) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    digest = people.approve(project)
    with DAG("on_spark") as dag:
        CapeSparkOperator(
            task_id="deidentify",
            project=project,
            source=str(work.source),
            target=str(work.target),
            conf=on_cluster.conf,
            py_files=[str(on_cluster.package)],
        )
    run = _test_dag(dag)
    assert run.state == DagRunState.SUCCESS
    with create_session() as session:
        sent = {
            row.key: XComModel.deserialize_value(row) for row in session.query(XComModel).filter_by(run_id=run.run_id)
        }
    result = sent["return_value"]
    assert (result["rows_in"], result["rows_out"], result["policy_digest"]) == (ROWS, ROWS - ROWS // 3, digest)
    assert sent[SparkUILink.xcom_key].startswith("http://")
    job = people.engineer.job(project, result["job_id"])
    assert (job.state, job.engine, job.application_id) == ("succeeded", "spark", result["application_id"])
    assert {column.name: column.values for column in job.columns}["country"] == result["rows_out"]
    assert pq.read_table(work.target).num_rows == result["rows_out"]


def test_an_executor_that_is_killed_in_mid_run_costs_no_row(
    on_cluster: Cluster, work: Work, in_background: Callable[[CapeSparkOperator, Work], Future[Any]]
) -> None:
    running = in_background(work.gated(on_cluster), work)
    work.wait_for_first_rows(running)
    os.kill(on_cluster.executors()[0], signal.SIGKILL)
    work.gate.touch()
    result = running.result(300)
    assert (result["rows_in"], result["rows_out"]) == (ROWS, ROWS - ROWS // 3)
    work.check_output()


def test_a_driver_that_is_killed_leaves_no_output_and_the_retry_is_right(
    on_cluster: Cluster, work: Work, in_background: Callable[[CapeSparkOperator, Work], Future[Any]]
) -> None:
    operator = work.gated(on_cluster)
    running = in_background(operator, work)
    work.wait_for_first_rows(running)
    assert operator._driver is not None
    os.kill(operator._driver._process.pid, signal.SIGKILL)
    with pytest.raises(AirflowException, match="ended without a word"):
        running.result(180)
    assert not work.target.exists()
    wait_for("end of the application", lambda: on_cluster.running() == [])
    work.gate.touch()
    work.gated(on_cluster).execute(work.context())
    work.check_output()


def test_a_task_that_is_stopped_ends_its_application_without_output(
    on_cluster: Cluster, work: Work, in_background: Callable[[CapeSparkOperator, Work], Future[Any]]
) -> None:
    operator = work.gated(on_cluster)
    running = in_background(operator, work)
    work.wait_for_first_rows(running)
    operator.on_kill()
    with pytest.raises(AirflowException):
        running.result(180)
    assert not work.target.exists()
    wait_for("end of the application", lambda: on_cluster.running() == [])


def test_spark_connect_gives_the_same_output(connect_server: int, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "spark_connect", "host": "127.0.0.1", "port": connect_server, "extra": "{}"}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_CONNECT", json.dumps(connection))
    result = work.operator(conn_id="spark_connect").execute(work.context())
    assert result["rows_in"] == ROWS
    work.check_output()
    work.operator(conn_id="spark_connect").execute(work.context())  # in place of the first
    work.check_output()
