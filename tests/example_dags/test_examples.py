from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG
from airflow.utils.state import DagRunState

import cape_airflow.example_dags
from cape_airflow.jobs import Outcome
from cape_airflow.keys import add_key
from tests.airflow.coordinator import POLICY, People

EXAMPLES = sorted(path.stem for path in Path(cape_airflow.example_dags.__path__[0]).glob("cape_*.py"))


def _dag(name: str) -> DAG:
    dag = import_module(f"cape_airflow.example_dags.{name}").dag
    assert isinstance(dag, DAG)
    return dag


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_dag_of_its_own_name_that_says_what_it_is_for(name: str) -> None:
    dag = _dag(name)
    assert dag.dag_id == name
    assert dag.doc_md


@pytest.fixture(scope="module")
def metadata_database() -> None:
    from airflow.utils import db

    db.initdb()


@pytest.fixture
def run(metadata_database: None, tmp_path: Path) -> Any:
    """Run an example DAG over a small file, and give the output."""
    source, target = tmp_path / "customers.parquet", tmp_path / "deidentified.parquet"
    pq.write_table(pa.table({"email": ["ann@example.com", "bob@example.com"], "country": ["NL", "XX"]}), source)

    def run(name: str, **conf: Any) -> pa.Table:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        dag = _dag(name)
        with create_session() as session:
            session.merge(DagBundleModel(name="testing"))
        bag = DagBag(dag_folder=os.devnull)
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "testing", None)
        finished = dag.test(run_conf={"source": str(source), "target": str(target), **conf})
        assert finished.state == DagRunState.SUCCESS
        return pq.read_table(target)

    return run


@pytest.mark.integration
class TestRunning:
    def test_cape_policy_file_runs_without_a_coordinator(self, run: Any, tmp_path: Path) -> None:
        policy, keys = tmp_path / "policy.yaml", tmp_path / "keys.json"
        policy.write_text(POLICY)
        add_key(keys, "customer-id")
        output = run("cape_policy_file", policy_file=str(policy), key_file=str(keys))
        assert output.column("country").to_pylist() == ["NL"]

    @pytest.mark.usefixtures("connected")
    def test_cape_customers_runs_under_the_policy_that_the_sensor_saw(
        self, run: Any, people: People, project: str
    ) -> None:
        digest = people.approve(project)
        output = run("cape_customers", project=project)
        assert output.schema.metadata[b"cape.policy_digest"].decode() == digest

    @pytest.mark.usefixtures("connected")
    def test_cape_pinned_digest_runs_under_that_digest(self, run: Any, people: People, project: str) -> None:
        digest = people.approve(project)
        people.approve(project, "version: 1\nrules: [{match: {name: email}, actions: [drop]}]")
        output = run("cape_pinned_digest", project=project, policy_digest=digest)
        assert output.schema.metadata[b"cape.policy_digest"].decode() == digest

    @pytest.mark.usefixtures("connected")
    def test_cape_suggest_verify_goes_from_the_suggestion_to_the_verification(
        self, run: Any, people: People, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = people.admin.create_token("tests", user_email="engineer@example.com").token.reveal().decode()
        monkeypatch.setenv("AIRFLOW_CONN_CAPE_AUTHOR", json.dumps(people.connection() | {"password": token}))
        (tmp_path / "policy.yaml").write_text(POLICY)
        people.approve(project)  # so that nobody is waited for
        run("cape_suggest_verify", project=project, policy_file=str(tmp_path / "policy.yaml"))
        [job] = people.engineer.jobs(project)
        assert job.verification is not None
        assert not job.verification.of(Outcome.BROKEN)
