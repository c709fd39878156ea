"""The driver program as a process of its own, told what to do through its pipe, without Airflow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow.engines.spark.messages import Job, Opened, Orders, Session, Status
from cape_airflow.keys import KeyRing
from cape_airflow.policy import compile_plan, load_policy

pytestmark = pytest.mark.integration

KEEP = "version: 2\nrules: [{match: {name: country}, keep: {reason: no person}}]"


class Driver:
    """A driver, and the ends of its pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pq.write_table(pa.table({"country": ["NL", "DE", "NL"]}), folder / "in.parquet")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cape_airflow.engines.spark.job", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "log").open("wb"),
            text=True,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def job(self, **changed: object) -> Job:
        warehouse = str(self.folder / "warehouse")
        given = {"source": str(self.folder / "in.parquet"), "target": "people", "target_format": "table"} | changed
        properties = {
            "spark.sql.warehouse.dir": warehouse,
            "spark.driver.memory": "512m",
            "spark.ui.enabled": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }
        return Job(job_id="a" * 32, name="x", session=Session(master="local[1]", properties=properties), **given)

    def last(self) -> Status:
        while (status := Status.model_validate_json(self.hear())).state == "running":
            pass
        return status


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    driver = Driver(tmp_path)
    yield driver
    driver.process.kill()
    driver.process.communicate()


def test_a_table_is_written_by_spark_and_the_driver_ends_well(driver: Driver) -> None:
    driver.say(driver.job().model_dump_json())
    opened = Opened.model_validate_json(driver.hear())
    assert opened.application.ui is None
    plan = compile_plan(load_policy(KEEP), opened.arrow_schema())
    driver.say(Orders.of(plan, KeyRing()).model_dump_json())
    status = driver.last()
    assert (status.state, status.staged, status.progress.rows_out) == ("written", None, 3)
    assert driver.process.wait(60) == 0
    assert pq.read_table(driver.folder / "warehouse" / "people").num_rows == 3


def test_a_source_that_is_not_there_is_told_by_sparks_name_for_it(driver: Driver) -> None:
    driver.say(driver.job(source=str(driver.folder / "nowhere")).model_dump_json())
    status = driver.last()
    assert status.failure is not None
    assert (status.failure.kind, status.failure.words) == ("AnalysisException", "PATH_NOT_FOUND")
    assert driver.process.wait(60) == 1


def test_a_driver_without_an_operator_ends_before_it_does_anything(driver: Driver) -> None:
    driver.say(driver.job(target=str(driver.folder / "out"), target_format="parquet").model_dump_json())
    Opened.model_validate_json(driver.hear())
    assert driver.process.stdin is not None
    driver.process.stdin.close()
    assert driver.process.wait(60) != 0
    assert not (driver.folder / "out").exists()
    driver.process.stdin = None
