"""The main job through a real Airflow, with the coordinator inside its API server."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from cape_airflow.client import CoordinatorClient
from tests.airflow.conftest import RealAirflow, wait_for
from tests.airflow.coordinator import POLICY, People
from tests.leaks.canaries import Canary, Search

pytestmark = pytest.mark.integration

CREDIT_POLICY = Path(__file__).with_name("policies") / "credit.yaml"
DAG = "cape_customers"


@pytest.fixture
def customers(tmp_path: Path) -> dict[str, str]:
    """The parameters of a run over two customers."""
    source, target = tmp_path / "customers.parquet", tmp_path / "deidentified.parquet"
    pq.write_table(pa.table({"email": ["ann@example.com", "bob@example.com"], "country": ["NL", "XX"]}), source)
    return {"source": str(source), "target": str(target)}


def test_the_embedded_coordinator_serves_at_cape_and_lets_nobody_in_without_a_token(real_airflow: RealAirflow) -> None:
    assert requests.get(f"{real_airflow.url}/cape/v1/health", timeout=10).json() == {"status": "ok"}
    answer = requests.get(f"{real_airflow.url}/cape/v1/projects", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_token_of_airflow_is_worth_nothing_in_the_coordinator(real_airflow: RealAirflow) -> None:
    token = requests.get(f"{real_airflow.url}/auth/token", timeout=10).json()["access_token"]
    answer = requests.get(
        f"{real_airflow.url}/cape/v1/projects", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    assert answer.status_code == 401


def test_the_coordinator_has_a_database_of_its_own_beside_airflows(real_airflow: RealAirflow) -> None:
    assert (real_airflow.home / "cape" / "coordinator.db").is_file()
    assert (real_airflow.home / "cape" / "root.key").stat().st_mode & 0o077 == 0


def test_airflow_imports_plugin_and_example_dags_without_an_error(real_airflow: RealAirflow, people: People) -> None:
    assert real_airflow.rest("GET", "/plugins/importErrors")["import_errors"] == []
    examples = {file.stem for file in real_airflow.dags.glob("*.py")}

    def parsed() -> bool:
        found = {dag["dag_id"] for dag in real_airflow.rest("GET", "/dags")["dags"]}
        return found >= examples or bool(real_airflow.rest("GET", "/importErrors")["import_errors"])

    assert wait_for("DAGs", parsed, 300)
    assert real_airflow.rest("GET", "/importErrors")["import_errors"] == []


def test_the_test_button_of_the_connection_form_works(real_airflow: RealAirflow, people: People) -> None:
    connection = {"connection_id": "tested", **people.connection()}
    answer = real_airflow.rest("POST", "/connections/test", connection)
    assert answer["status"], answer
    assert "worker@example.com" in answer["message"]


def test_an_approved_policy_moves_the_credit_file(
    real_airflow: RealAirflow, people: People, shared: Path, tmp_path: Path
) -> None:
    source, target = shared / "data" / "credit_with_pii.csv", tmp_path / "credit.parquet"
    project = people.new_project()
    suggestion = people.suggest(project, CREDIT_POLICY.read_text())
    run = real_airflow.run(DAG, project=project, source=str(source), target=str(target))
    real_airflow.wait_for_state(DAG, run, "approved", "deferred")
    assert not target.exists()
    people.officer.approve(project, suggestion.id, suggestion.digest)
    real_airflow.wait_for_state(DAG, run, "deidentify", "success")

    result = real_airflow.xcom(DAG, run, "deidentify")
    assert real_airflow.xcom(DAG, run, "approved") == suggestion.digest
    assert (result["rows_in"], result["rows_out"], result["rows_suppressed"]) == (1000, 1000, 0)
    assert result["policy_digest"] == suggestion.digest
    job = people.engineer.job(project, result["job_id"])
    assert job.state == "succeeded"
    assert {column.name for column in job.columns if column.decision == "dropped"} == {"City", "Street_address"}
    assert {column.name: column.values for column in job.columns}["Name"] == 1000
    log = real_airflow.log(DAG, run, "deidentify")
    assert f"{people.url}/v1/projects/{project}/jobs/{result['job_id']}" in log
    assert f"cape jobs get {project} {result['job_id']}" in log
    assert "This task can read the embedded coordinator's root key" in log
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    output = pq.read_table(target)
    _check_every_column(rows, output)
    _check_no_leak(rows, output, target, real_airflow)
    assert suggestion.digest.encode() in (real_airflow.home / "airflow.db").read_bytes() + _wal(real_airflow)


def _wal(real_airflow: RealAirflow) -> bytes:
    wal = real_airflow.home / "airflow.db-wal"
    return wal.read_bytes() if wal.exists() else b""


def _check_every_column(rows: list[dict[str, str]], output: pa.Table) -> None:
    given = {name: [row[name] for row in rows] for name in rows[0]}
    got = {name: output.column(name).to_pylist() for name in output.column_names}
    assert output.column_names == [name for name in given if name not in {"City", "Street_address"}]
    assert all(len(token) == 64 and int(token, 16) >= 0 for token in got["Name"])
    assert all(len(token) == 10 and int(token, 16) >= 0 for token in got["Sex"])
    for name in ("Name", "Sex"):
        assert len(set(zip(given[name], got[name], strict=True))) == len(set(given[name])) == len(set(got[name]))
    assert pa.types.is_integer(output.schema.field("Age").type)
    assert pa.types.is_date(output.schema.field("Application_date").type)
    years = np.array(got["Age"]) - np.array(given["Age"], dtype=int)
    days = (np.array(got["Application_date"], "M8[D]") - np.array(given["Application_date"], "M8[D]")).astype(int)
    for shifts, limit in ((years, 5), (days, 3)):
        assert np.abs(shifts).max() <= limit
        assert len(set(shifts)) > limit
    assert got["Salary"] == np.round(np.array(given["Salary"], dtype=float), -3).tolist()
    for name in ("Job", "Credit amount", "Duration"):
        assert got[name] == [int(value) for value in given[name]]
    for name in ("Housing", "Saving accounts", "Checking account", "Purpose", "Risk"):
        assert [value or "" for value in got[name]] == given[name]


def _check_no_leak(rows: list[dict[str, str]], output: pa.Table, target: Path, real_airflow: RealAirflow) -> None:
    """No name, city or address of the input is in the output, a log, or a database of Airflow or the coordinator."""
    values = {row[name] for row in rows for name in ("Name", "City", "Street_address")}
    _check_absent(values, "\n".join(map(str, output.to_pylist())).encode(), "the output")
    _check_absent(values, target.read_bytes(), "the output file")
    for file in _written_by(real_airflow):
        _check_absent(values, file.read_bytes(), str(file))


def _written_by(real_airflow: RealAirflow) -> list[Path]:
    """Return all files that Airflow, its tasks and the coordinator wrote: databases, logs, outputs of processes."""
    files = [path for path in real_airflow.home.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
    names = {path.name for path in files}
    assert {"airflow.db", "coordinator.db", "scheduler.log", "triggerer.log"} <= names
    return files


def _check_absent(values: Iterable[str], content: bytes, place: str) -> None:
    found = [value for value in values if value.encode() in content]
    assert not found, f"{len(found)} values are in {place}"


def test_a_triggerer_that_is_killed_while_the_sensor_waits_does_no_harm(
    real_airflow: RealAirflow, people: People, customers: dict[str, str]
) -> None:
    project = people.new_project()
    run = real_airflow.run(DAG, project=project, **customers)
    real_airflow.wait_for_state(DAG, run, "approved", "deferred")
    real_airflow.kill("triggerer")
    digest = people.approve(project)
    real_airflow.start("triggerer")
    real_airflow.wait_for_state(DAG, run, "deidentify", "success")
    assert real_airflow.xcom(DAG, run, "deidentify")["policy_digest"] == digest
    assert pq.read_table(customers["target"]).column("country").to_pylist() == ["NL"]


def test_a_run_that_fails_on_its_data_shows_none_of_it(
    real_airflow: RealAirflow, people: People, tmp_path: Path
) -> None:
    canary = "canary-4711@example.com"
    digits = "type: format-preserving-encryption, version: 1"  # which takes digits only
    pq.write_table(pa.table({"email": [canary], "country": ["NL"]}), tmp_path / "customers.parquet")
    project = people.new_project()
    people.approve(project, POLICY.replace("type: keyed-hash", digits))
    target = tmp_path / "out.parquet"
    run = real_airflow.run(DAG, project=project, source=str(tmp_path / "customers.parquet"), target=str(target))
    real_airflow.wait_for_state(DAG, run, "deidentify", "failed")
    assert not target.exists()
    log = real_airflow.log(DAG, run, "deidentify")
    assert "ValueRefused" in log
    assert "column `email`" in log
    [job] = people.engineer.jobs(project)
    assert job.state == "failed"
    search = Search(
        [
            Canary.value("the value", canary),
            Canary.value("the token", people.worker_token.rpartition(",")[2]),
            Canary.material("the key", _key(people, project, "customer-id")),
        ]
    )
    search.look_at_files("what was written", _written_by(real_airflow))
    assert search.hits == []


def _key(people: People, project: str, name: str) -> bytes:
    with CoordinatorClient(people.url, people.worker_token) as worker:
        return worker.key_material(project, name).version(1).reveal()


def test_a_task_that_is_marked_failed_stops_and_writes_nothing(
    real_airflow: RealAirflow, people: People, tmp_path: Path
) -> None:
    source = a_minutes_work(tmp_path / "source")
    project = people.new_project()
    people.approve(project)
    run = real_airflow.run(DAG, project=project, source=source, target=str(tmp_path / "deidentified.parquet"))
    wait_for("job", lambda: people.engineer.jobs(project))
    real_airflow.rest("PATCH", f"/dags/{DAG}/dagRuns/{run}/taskInstances/deidentify", {"new_state": "failed"})
    [job] = wait_for("end", lambda: [job for job in people.engineer.jobs(project) if job.state != "running"])
    assert (job.state, job.error) == ("failed", "AirflowException")
    wait_for("reason", lambda: "the task was told to stop" in real_airflow.log(DAG, run, "deidentify"))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def a_minutes_work(folder: Path) -> str:
    """Make a source of 40 million rows that takes no space: one file under many names."""
    folder.mkdir()
    rows = 1_000_000
    emails = pa.array(np.char.add(np.arange(rows).astype("U7"), "@example.com"))
    pq.write_table(pa.table({"email": emails, "country": pa.repeat("NL", rows)}), folder / "0.parquet")
    for number in range(1, 40):
        (folder / f"{number}.parquet").hardlink_to(folder / "0.parquet")
    return f"{folder}/*.parquet"
