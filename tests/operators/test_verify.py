from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.jobs import Outcome, Verification
from cape_airflow.keys import add_key
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.operators.verify import CapeVerifyOperator
from tests.airflow.coordinator import POLICY, Outage, People

ROWS = {"email": [f"e{n:03d}@example.com" for n in range(30)], "country": ["NL", "XX", "DE"] * 10}


def _context(**changed: Any) -> Any:
    names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": -1, "try_number": 1}
    return {"ti": SimpleNamespace(**{**names, **changed})}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    source = tmp_path / "customers.parquet"
    pq.write_table(pa.table(ROWS), source)
    return {"source": str(source), "target": str(tmp_path / "deidentified.parquet")}


def _transformed(**arguments: Any) -> dict[str, Any]:
    return CapeTransformOperator(task_id="deidentify", **arguments).execute(_context())


def _verify(**arguments: Any) -> dict[str, Any]:
    return CapeVerifyOperator(task_id="verify", **arguments).execute(_context(task_id="verify"))


def _leak(target: str) -> None:
    """Put the first e-mail address in place of its token."""
    output = pq.read_table(target)
    emails = ["e000@example.com", *output["email"].to_pylist()[1:]]
    pq.write_table(output.set_column(0, "email", pa.array(emails)), target)


@pytest.mark.usefixtures("connected")
class TestWithAProject:
    def test_a_right_output_is_verified_under_the_policy_of_its_job_and_the_job_says_so(
        self, people: People, project: str, files: dict[str, str]
    ) -> None:
        people.approve(project)
        job_id = _transformed(project=project, **files)["job_id"]
        people.approve(project, POLICY.replace("keyed-hash", "deterministic-encryption"))
        people.admin.rotate_key(project, "customer-id")
        found = Verification.model_validate(_verify(project=project, job_id=job_id, **files))
        assert not found.of(Outcome.BROKEN)
        assert not found.of(Outcome.UNCHECKED)
        assert (found.rows_in, found.rows_out) == (30, 20)
        assert people.engineer.job(project, job_id).verification == found

    def test_a_value_that_came_out_fails_the_task_for_good_and_is_shown_nowhere(
        self, people: People, project: str, files: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        people.approve(project)
        job_id = _transformed(project=project, **files)["job_id"]
        _leak(files["target"])
        with pytest.raises(
            AirflowFailException, match=r"column `email` \(rules\[0\].*values-in-common.*in 1 rows"
        ) as no:
            _verify(project=project, job_id=job_id, **files)
        found = people.engineer.job(project, job_id).verification
        assert found is not None
        assert {(each.check, each.column, each.rows) for each in found.of(Outcome.BROKEN)} == {
            ("token-grammar", "email", 1),
            ("values-in-common", "email", 1),
        }
        assert "e000" not in f"{no.value}{caplog.text}{found}"

    def test_tokens_of_a_key_version_that_came_later_are_found(
        self, people: People, project: str, files: dict[str, str]
    ) -> None:
        people.approve(project)
        job_id = _transformed(project=project, **files)["job_id"]
        people.admin.rotate_key(project, "customer-id")
        other = _context(run_id="manual__2")
        CapeTransformOperator(task_id="deidentify", project=project, **files).execute(other)
        with pytest.raises(AirflowFailException, match=r"key-version broken in 20 rows.*job-id broken"):
            _verify(project=project, job_id=job_id, **files)

    def test_what_broke_is_said_though_the_coordinator_cannot_be_told(
        self, people: People, project: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people.approve(project)
        job_id = _transformed(project=project, **files)["job_id"]
        _leak(files["target"])
        operator = CapeVerifyOperator(task_id="verify", project=project, job_id=job_id, **files)
        operator.hook.client.verify_job = operator.hook.client.heartbeat  # type: ignore[method-assign] # refuses it
        with pytest.raises(AirflowFailException, match="GuaranteeBroken"):
            operator.execute(_context())

    def test_a_job_that_wrote_nothing_is_not_verified(
        self, people: People, project: str, files: dict[str, str]
    ) -> None:
        people.approve(project, POLICY.replace("customer-id", "no-such-key"))
        with pytest.raises(AirflowFailException):
            _transformed(project=project, **files)
        [job] = people.engineer.jobs(project)
        with pytest.raises(AirflowFailException, match="is failed: it has written nothing"):
            _verify(project=project, job_id=job.job_id, **files)

    def test_another_policy_than_that_of_the_job_is_refused(
        self, people: People, project: str, files: dict[str, str]
    ) -> None:
        people.approve(project)
        job_id = _transformed(project=project, **files)["job_id"]
        other = people.approve(project, POLICY.replace("customers", "clients"))
        with pytest.raises(AirflowFailException, match="ran under policy"):
            _verify(project=project, job_id=job_id, policy_digest=other, **files)

    def test_an_unknown_job_is_refused(self, people: People, project: str, files: dict[str, str]) -> None:
        with pytest.raises(AirflowFailException, match="404"):
            _verify(project=project, job_id="0" * 32, **files)

    def test_a_job_id_whose_template_finds_nothing_stops_the_task(self, project: str, files: dict[str, str]) -> None:
        with pytest.raises(AirflowFailException, match="job_id was given, but"):
            _verify(project=project, job_id="", **files)


def test_an_outage_is_worth_a_retry(outage: Outage, files: dict[str, str]) -> None:
    job_id = _transformed(project=outage.project, **files)["job_id"]
    outage.begin()
    with pytest.raises(AirflowException, match="CoordinatorUnavailable") as failure:
        _verify(project=outage.project, job_id=job_id, **files)
    assert not isinstance(failure.value, AirflowFailException)


@pytest.fixture
def by_file(tmp_path: Path, files: dict[str, str]) -> dict[str, str]:
    """The arguments of a run without a coordinator."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    add_key(tmp_path / "keys.json", "customer-id")
    return {**files, "policy_file": str(tmp_path / "policy.yaml"), "key_file": str(tmp_path / "keys.json")}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
def test_without_a_coordinator_all_but_the_report_of_the_job_is_verified(
    by_file: dict[str, str], suffix: str, tmp_path: Path
) -> None:
    by_file["target"] = str(tmp_path / f"out.{suffix}")
    job_id = _transformed(**by_file)["job_id"]
    found = Verification.model_validate(_verify(job_id=job_id, **by_file))
    assert not found.of(Outcome.BROKEN)
    assert {each.check for each in found.of(Outcome.KEPT)} >= {"token-grammar", "key-version", "row-count"}


def test_an_output_of_another_job_is_found(by_file: dict[str, str]) -> None:
    _transformed(**by_file)
    with pytest.raises(AirflowFailException, match="job-id broken"):
        _verify(job_id="0" * 32, **by_file)


def test_an_output_that_is_not_there_is_worth_a_retry(by_file: dict[str, str]) -> None:
    with pytest.raises(AirflowException, match="DatasetError") as failure:
        _verify(**by_file)
    assert not isinstance(failure.value, AirflowFailException)


def test_a_killed_task_stops(by_file: dict[str, str]) -> None:
    _transformed(**by_file)
    operator = CapeVerifyOperator(task_id="verify", **by_file)
    operator.on_kill()
    with pytest.raises(AirflowException, match="told to stop"):
        operator.execute(_context())


def test_with_a_project_the_job_must_be_named() -> None:
    with pytest.raises(ValueError, match="give the job_id"):
        CapeVerifyOperator(task_id="verify", project="p", source="a", target="b")


def test_for_lineage_the_output_is_read_and_nothing_is_written(by_file: dict[str, str]) -> None:
    _transformed(**by_file)
    operator = CapeVerifyOperator(task_id="verify", **by_file)
    operator.execute(_context())
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert [each.name for each in lineage.inputs] == [by_file["target"]]
    assert lineage.outputs == []


def test_a_table_that_jobs_appended_to_is_not_verified_as_the_output_of_one() -> None:
    with pytest.raises(ValueError, match="appended to"):
        CapeVerifyOperator(task_id="verify", policy_file="p", source="a", target="table:b", target_mode="append")


def test_parsing_a_dag_file_imports_none_of_what_only_a_running_task_needs() -> None:
    script = (
        "import sys, cape_airflow.operators.verify, cape_airflow.operators.suggest, cape_airflow.operators.reveal;"
        "print(*sorted({'pyarrow', 'numpy', 'sqlglot', 'requests', 'cape_airflow.engines'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""  # the lines before are Airflow's
