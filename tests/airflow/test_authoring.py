"""Assets, TaskFlow and dynamic task mapping through a real Airflow: the example DAGs, started by REST."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.airflow.conftest import RealAirflow, wait_for
from tests.airflow.coordinator import People

pytestmark = pytest.mark.integration

CANARY = "canary-authoring-4711@example.com"


def _write(path: Path, country: str = "NL") -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"email": [CANARY, "bob@example.com"], "country": [country, "XX"]}), path)


@pytest.fixture
def customers(tmp_path: Path) -> dict[str, str]:
    """The parameters of a run over two customers."""
    _write(tmp_path / "customers.parquet")
    return {"source": str(tmp_path / "customers.parquet"), "target": str(tmp_path / "deidentified.parquet")}


def test_a_dag_downstream_of_an_asset_sees_which_policy_made_the_data(
    real_airflow: RealAirflow, people: People, customers: dict[str, str]
) -> None:
    project = people.new_project()
    digest = people.approve(project)
    wait_for("consumer", lambda: real_airflow.rest("GET", "/dags?dag_id_pattern=cape_assets_consumer")["dags"], 300)
    real_airflow.rest("PATCH", "/dags/cape_assets_consumer", {"is_paused": False})
    run = real_airflow.run("cape_assets", project=project, **customers)
    real_airflow.wait_for_state("cape_assets", run, "deidentify", "success")
    result = real_airflow.xcom("cape_assets", run, "deidentify")

    [event] = [event for event in _events(real_airflow) if event["source_run_id"] == run]
    assert (event["extra"]["policy_digest"], event["extra"]["job_id"]) == (digest, result["job_id"])
    [started] = wait_for("run", lambda: real_airflow.rest("GET", "/dags/cape_assets_consumer/dagRuns")["dag_runs"])
    consumer = started["dag_run_id"]
    real_airflow.wait_for_state("cape_assets_consumer", consumer, "check", "success")
    assert real_airflow.xcom("cape_assets_consumer", consumer, "check") == {
        "policy_digest": digest,
        "job_id": result["job_id"],
        "project": project,
        "rows_out": 1,
        "columns": {
            "email": {"decision": "transformed", "techniques": ["keyed-hash"]},
            "country": {"decision": "kept", "techniques": []},
        },
    }


def _events(airflow: RealAirflow) -> list[dict[str, Any]]:
    return list(airflow.rest("GET", "/assets/events")["asset_events"])


def test_each_partition_is_a_task_instance_and_a_job_of_its_own_under_one_policy(
    real_airflow: RealAirflow, people: People, tmp_path: Path
) -> None:
    project = people.new_project()
    digest = people.approve(project)
    days = ["day-1", "day-2", "day-3"]
    for day in days:
        _write(tmp_path / "in" / f"{day}.parquet", country=day)
    run = real_airflow.run(
        "cape_partitions", project=project, source=str(tmp_path / "in"), target=str(tmp_path / "out")
    )
    instances = wait_for("partitions", lambda: _ended(real_airflow, run), 240)
    assert [each["state"] for each in instances] == ["success"] * 3
    targets = [str(tmp_path / "out" / f"{day}.parquet") for day in days]
    assert [each["rendered_map_index"] for each in instances] == [target[-200:] for target in targets]
    assert [pq.read_table(target).column("country").to_pylist() for target in targets] == [[day] for day in days]
    jobs = people.engineer.jobs(project)
    assert {(job.origin["map_index"], job.state, job.policy_digest) for job in jobs} == {
        (str(number), "succeeded", digest) for number in range(3)
    }


def _ended(airflow: RealAirflow, run: str) -> list[dict[str, Any]]:
    """Return the instances of the mapped task in order, once all have ended."""
    path = f"/dags/cape_partitions/dagRuns/{run}/taskInstances"
    if airflow.rest("GET", f"{path}/approved")["state"] == "failed":
        pytest.fail(airflow.log("cape_partitions", run, "approved")[-3000:])
    instances = airflow.rest("GET", f"{path}/deidentify/listMapped")["task_instances"]
    ended = [each for each in instances if each["state"] in {"success", "failed", "upstream_failed"}]
    return sorted(ended, key=lambda each: int(each["map_index"])) if len(ended) == 3 else []


def test_what_a_taskflow_function_returns_is_nowhere_but_in_its_target(
    real_airflow: RealAirflow, people: People, customers: dict[str, str]
) -> None:
    project = people.new_project()
    digest = people.approve(project)
    run = real_airflow.run("cape_taskflow", project=project, **customers)
    real_airflow.wait_for_state("cape_taskflow", run, "extract", "success")
    result = real_airflow.xcom("cape_taskflow", run, "extract")
    assert (result["policy_digest"], result["rows_out"], result["target"]) == (digest, 1, customers["target"])
    assert pq.read_table(customers["target"]).column("country").to_pylist() == ["NL"]
    instance = real_airflow.task("cape_taskflow", run, "extract")
    assert (instance["operator_name"], instance["rendered_fields"]["target"]) == (
        "@task.cape_transform",
        customers["target"],
    )
    job = people.engineer.job(project, result["job_id"])
    assert (job.state, job.source) == ("succeeded", "extract()")
    for file in [path for path in real_airflow.home.rglob("*") if path.is_file()]:
        assert CANARY.encode() not in file.read_bytes(), file


def test_airflows_command_lists_no_import_error(real_airflow: RealAirflow) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "list-import-errors", "-o", "json"],
        env=real_airflow.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    listed = ran.stdout.strip().splitlines()[-1]
    assert listed == "No data found" or json.loads(listed) == []
