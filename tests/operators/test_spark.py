from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import TaskDeferred

from cape_airflow.errors import CapeError, DatasetError, KeyUnavailable, ValueRefused
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.keys import add_key
from cape_airflow.operators.spark import CapeSparkOperator, _shared_path
from cape_airflow.operators.spark_links import SparkHistoryLink, SparkUILink
from cape_airflow.operators.verify import CapeVerifyOperator
from cape_airflow.triggers import spark as trigger_module
from tests.airflow.coordinator import POLICY, People

ROWS = {"email": ["ann@example.com", "bob@example.com", None, "cy@example.com"], "country": ["NL", "XX", "DE", "NL"]}
GUARANTEED = POLICY + "guarantees:\n  - {type: k-anonymity, k: 3, quasi_identifiers: [country]}\n"


def _operator(**changed: Any) -> CapeSparkOperator:
    given = {"policy_file": "policy.yaml", "source": "/data/in", "target": "/data/out"} | changed
    return CapeSparkOperator(task_id="deidentify", **given)


class TestArguments:
    @pytest.mark.parametrize(
        "changed",
        [
            {"source": None},
            {"build": "module:function"},
            {"source": None, "source_format": "table"},
            {"mode": "append"},
            {"policy_file": None},
        ],
    )
    def test_what_says_too_little_or_too_much_is_refused_when_the_dag_is_parsed(self, changed: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"give|append"):
            _operator(**changed)

    @pytest.mark.parametrize(
        "changed",
        [
            {"source": "s3a://user:canary@bucket/in"},
            {"history_server": "http://user:canary@history"},
            {"conf": {"spark.hadoop.fs.s3a.secret.key": "canary"}},
            {"source_options": {"password": "canary"}},
            {"target_options": {"token": "canary"}},
        ],
    )
    def test_credentials_are_refused_and_not_shown(self, changed: dict[str, Any]) -> None:
        with pytest.raises(CapeError) as caught:
            _operator(**changed)
        assert "canary" not in str(caught.value)

    @pytest.mark.parametrize("target", ["s3a://bucket/out", "hdfs://host/out", "out", "file://host/out"])
    def test_files_go_to_a_shared_disk_only(self, target: str) -> None:
        with pytest.raises(CapeError, match="absolute path on a disk that it shares"):
            _shared_path(target)

    def test_a_file_url_is_a_path(self) -> None:
        assert _shared_path("file:///data/out/") == "/data/out"

    def test_the_links_to_the_application_are_of_the_operator(self) -> None:
        assert [type(link) for link in _operator().operator_extra_links][-2:] == [SparkUILink, SparkHistoryLink]


def test_importing_the_operator_does_not_import_pyspark(outside_environment: dict[str, str]) -> None:
    import subprocess
    import sys

    script = "import sys, cape_airflow.operators.spark; print('pyspark' in sys.modules, 'pyarrow' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=outside_environment
    )
    assert ran.stdout.split()[-2:] == ["False", "False"]


class TestFailures:
    @pytest.mark.parametrize(
        ("kind", "raised"),
        [
            ("ValueRefused", ValueRefused),
            ("KeyUnavailable", KeyUnavailable),
            ("DataError", DatasetError),
            ("Py4JJavaError", DatasetError),
        ],
    )
    def test_our_errors_come_back_as_they_are_and_others_are_worth_another_try(
        self, kind: str, raised: type[CapeError]
    ) -> None:
        from cape_airflow.engines.spark.messages import Failure

        error = Failure(kind=kind, words="3 values").raised("/x/driver.log")
        assert type(error) is raised
        assert "3 values" in str(error)

    def test_of_an_error_that_is_not_ours_no_word_is_told(self) -> None:
        from cape_airflow.engines.spark.messages import Failure

        assert Failure.of(RuntimeError("ann@example.com")) == Failure(kind="RuntimeError", words="")


class Work:
    """A source, a policy and keys in a folder, and what a task pushes."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target, self.spool = folder / "in.parquet", folder / "out", folder / "spool"
        self.policy, self.keys = folder / "policy.yaml", folder / "keys.json"
        pq.write_table(pa.table(ROWS), self.source)
        self.policy.write_text(POLICY)
        add_key(self.keys, "customer-id")
        self.pushed: dict[str, Any] = {}

    def context(self) -> dict[str, Any]:
        names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": -1, "try_number": 1}

        def push(key: str, value: Any) -> None:
            self.pushed[key] = value

        return {"ti": SimpleNamespace(**names, xcom_push=push)}

    def operator(self, **changed: Any) -> CapeSparkOperator:
        given = {"source": str(self.source), "target": str(self.target), "spool": str(self.spool)} | changed
        if "project" not in given:
            given |= {"policy_file": str(self.policy), "key_file": str(self.keys)}
        return CapeSparkOperator(task_id="deidentify", **given)

    def countries(self) -> list[str]:
        return sorted(pq.read_table(self.target).column("country").to_pylist())


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    extra = {"spark.driver.memory": "512m", "spark.ui.port": "0", "spark.sql.shuffle.partitions": "1"}
    connection = {"conn_type": "spark", "host": "local[1]", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    return Work(tmp_path)


@pytest.mark.integration
class TestRunning:
    def test_a_function_of_the_dag_file_builds_the_data_and_another_sorts_the_output(self, work: Work) -> None:
        source = str(work.source)
        operator = work.operator(
            source=None,
            build=lambda spark: spark.read.parquet(source).where("email IS NOT NULL"),
            after=lambda df: df.orderBy("country"),
            partition_by=["country"],
            history_server="http://history:18080/",
        )
        result = operator.execute(work.context())
        assert (result["rows_in"], result["rows_out"]) == (3, 2)
        assert [path.name for path in work.target.glob("country=*")] == ["country=NL"]
        assert work.pushed[SparkHistoryLink.xcom_key] == f"http://history:18080/history/{result['application_id']}/"

    def test_the_output_keeps_what_the_policy_promises(self, work: Work) -> None:
        result = work.operator().execute(work.context())
        verify = CapeVerifyOperator(
            task_id="verify",
            source=str(work.source),
            target=str(work.target),
            target_format="parquet",
            job_id=result["job_id"],
            policy_file=str(work.policy),
            key_file=str(work.keys),
        )
        found = verify.execute(work.context())
        kept = {verdict["check"] for verdict in found["verdicts"] if verdict["outcome"] == "kept"}
        assert {"policy-digest", "job-id", "row-count"} <= kept

    def test_an_output_that_breaks_a_guarantee_is_never_seen(self, work: Work) -> None:
        work.policy.write_text(GUARANTEED)
        with pytest.raises(AirflowFailException, match="GuaranteeBroken"):
            work.operator().execute(work.context())
        assert not work.target.exists()
        assert not list(work.target.parent.glob(".out*"))

    @pytest.mark.usefixtures("connected")
    def test_a_policy_that_is_no_longer_what_was_approved_shows_nothing(
        self, work: Work, people: People, project: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people.approve(project)
        operator = work.operator(project=project)
        asked = operator.hook.get_policy
        calls: list[str] = []

        def get_policy(label: str, digest: str | None = None) -> Any:
            """Ask as ever; by the second question the worker was removed from the project."""
            calls.append(label)
            if len(calls) == 2:
                people.officer.remove_contributor(project, "worker@example.com")
            return asked(label, digest)

        monkeypatch.setattr(operator.hook, "get_policy", get_policy)
        with pytest.raises(AirflowException, match="CoordinatorRefused"):
            operator.execute(work.context())
        assert not work.target.exists()
        assert not list(work.target.parent.glob(".out*"))

    def test_a_value_error_of_the_users_function_shows_no_value(self, work: Work) -> None:
        def build(spark: Any) -> Any:
            raise ValueError("ann@example.com")

        with pytest.raises(AirflowException) as caught:
            work.operator(source=None, build=build).execute(work.context())
        assert "ValueError" in str(caught.value)
        assert "ann@" not in str(caught.value)

    def test_while_it_is_deferred_the_driver_works_alone_and_the_resumed_task_shows_the_output(
        self, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(trigger_module, "SETTLING_SECONDS", 0.0)
        with pytest.raises(TaskDeferred) as deferred:
            work.operator(deferrable=True).execute(work.context())
        event = _first_event(deferred.value.trigger.run)
        assert event == {"status": "ended"}
        assert not work.target.exists()
        stored = json.loads(json.dumps(deferred.value.kwargs))
        resumed = work.operator(deferrable=True)
        result = resumed.execute_complete(work.context(), event, **stored)
        assert (result["rows_in"], result["rows_out"]) == (4, 3)
        [written] = resumed.get_openlineage_facets_on_complete(None).outputs
        assert set(written.facets["columnLineage"].fields) == {"email", "country"}
        assert written.outputFacets["outputStatistics"].rowCount == 3
        assert work.countries() == ["DE", "NL", "NL"]
        assert list(work.spool.iterdir()) == []

    def test_the_key_is_in_no_argument_variable_file_or_log_of_the_driver(self, work: Work) -> None:
        key = json.loads(work.keys.read_text())["customer-id"]["versions"]["1"].encode()
        seen: list[bytes] = []

        def look(path: Path) -> None:
            try:
                seen.append(path.read_bytes())
            except OSError:  # it has ended
                return

        operator = work.operator(deferrable=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(work.context())
        for process in Path("/proc").glob("[0-9]*"):
            look(process / "cmdline")
            look(process / "environ")
        _first_event(deferred.value.trigger.run)
        for path in work.spool.rglob("*"):
            if path.is_file():
                look(path)
        assert any(b"cape_airflow.engines.spark.job" in text for text in seen)
        assert not any(key in text or key[:20] in text for text in seen)


def _first_event(run: Callable[[], Any]) -> Any:
    async def first() -> Any:
        return (await anext(run())).payload

    return asyncio.run(asyncio.wait_for(first(), 300))
