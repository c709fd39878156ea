from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, task

from cape_airflow.errors import CapeError
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.jobs.outbox import waiting
from cape_airflow.keys import add_key
from cape_airflow.operators.transform import CapeTransformOperator, job_id_of
from cape_airflow.sensors.approval import CapePolicyApprovalSensor
from tests.airflow.coordinator import POLICY, Outage, People

ROWS = {"email": ["ann@example.com", "bob@example.com", None, "cy@example.com"], "country": ["NL", "XX", "DE", "NL"]}
KEEP_ALL = "version: 1\nrules: [{match: {name: email}, actions: [drop]}]"


def _context(**changed: Any) -> dict[str, Any]:
    names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": -1, "try_number": 1}
    return {"ti": SimpleNamespace(**{**names, **changed})}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "customers.parquet"
    pq.write_table(pa.table(ROWS), path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deidentified.parquet"


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    add_key(path, "customer-id")
    return path


def _operator(source: Path, target: Path, **changed: Any) -> CapeTransformOperator:
    return CapeTransformOperator(task_id="deidentify", source=str(source), target=str(target), **changed)


class TestWithACoordinator:
    pytestmark = pytest.mark.usefixtures("connected")

    def test_the_approved_policy_is_applied_and_the_job_reported(
        self, people: People, project: str, source: Path, target: Path
    ) -> None:
        digest = people.approve(project)
        operator = _operator(source, target, project=project)
        result = operator.execute(_context())
        assert result == {
            "job_id": job_id_of(_context()["ti"]),
            "policy_digest": digest,
            "rows_in": 4,
            "rows_out": 3,
            "rows_suppressed": 1,
        }
        output = pq.read_table(target)
        assert output.column("country").to_pylist() == ["NL", "DE", "NL"]
        assert not set(ROWS["email"]) & set(output.column("email").drop_null().to_pylist())
        job = people.engineer.job(project, result["job_id"])
        assert (job.state, job.attempts, job.policy_digest) == ("succeeded", 1, digest)
        assert {column.name: (column.values, column.nulls) for column in job.columns} == {
            "email": (2, 1),
            "country": (3, 0),
        }
        assert job.origin["task_id"] == "deidentify"

    def test_without_an_approved_policy_nothing_runs(self, project: str, source: Path, target: Path) -> None:
        operator = _operator(source, target, project=project)
        with pytest.raises(AirflowFailException, match="NotApproved"):
            operator.execute(_context())
        assert not target.exists()

    def test_a_pinned_digest_runs_although_another_policy_is_approved_now(
        self, people: People, project: str, source: Path, target: Path
    ) -> None:
        pinned = people.approve(project)
        people.approve(project, KEEP_ALL)
        result = _operator(source, target, project=project, policy_digest=pinned).execute(_context())
        assert result["policy_digest"] == pinned
        assert pq.read_schema(target).metadata[b"cape.policy_digest"].decode() == pinned

    def test_a_digest_that_was_never_approved_does_not_run(
        self, people: People, project: str, source: Path, target: Path
    ) -> None:
        people.approve(project)
        with pytest.raises(AirflowFailException):
            _operator(source, target, project=project, policy_digest="0" * 64).execute(_context())
        assert not target.exists()

    @pytest.mark.parametrize("empty", ["", "None"])
    def test_a_pin_whose_template_found_nothing_does_not_run_whatever_is_approved(
        self, people: People, project: str, source: Path, target: Path, empty: str
    ) -> None:
        people.approve(project)
        with pytest.raises(AirflowFailException, match="did its template find nothing"):
            _operator(source, target, project=project, policy_digest=empty).execute(_context())

    def test_a_pin_that_is_the_output_of_a_skipped_task_does_not_run_whatever_is_approved(
        self, people: People, project: str, source: Path, target: Path
    ) -> None:
        people.approve(project)
        with DAG("pay", schedule=None):
            sensor = CapePolicyApprovalSensor(task_id="approved", project=project)
            operator = _operator(source, target, project=project, policy_digest=sensor.output)
        context = _context(xcom_pull=lambda **_: None)
        operator.render_template_fields({**context, "expanded_ti_count": None})
        assert operator.policy_digest is None
        with pytest.raises(AirflowFailException, match="policy_digest was given, but"):
            operator.execute(context)
        assert not target.exists()

    def test_a_project_whose_template_found_nothing_does_not_run_the_policy_file_instead(
        self, source: Path, target: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "policy.yaml").write_text(KEEP_ALL)
        operator = _operator(source, target, project="", policy_file=str(tmp_path / "policy.yaml"))
        with pytest.raises(AirflowFailException, match="project was given, but"):
            operator.execute(_context())
        assert not target.exists()

    def test_a_policy_file_beside_a_project_must_be_approved_there(
        self, people: People, project: str, source: Path, target: Path, policy_file: Path
    ) -> None:
        operator = _operator(source, target, project=project, policy_file=str(policy_file))
        people.approve(project, KEEP_ALL)
        with pytest.raises(AirflowFailException):
            operator.execute(_context())
        digest = people.approve(project)
        assert operator.execute(_context())["policy_digest"] == digest

    def test_a_retry_is_the_same_job_and_writes_the_same_bytes(
        self, people: People, project: str, source: Path, target: Path
    ) -> None:
        people.approve(project)
        first = _operator(source, target, project=project).execute(_context())
        written = target.read_bytes()
        again = _operator(source, target, project=project).execute(_context(try_number=2))
        assert again == first
        assert target.read_bytes() == written
        job = people.engineer.job(project, first["job_id"])
        assert (job.attempts, job.origin["try_number"]) == (2, "2")

    def test_data_that_does_not_fit_fails_for_good_and_the_job_says_why(
        self, people: People, project: str, target: Path, tmp_path: Path
    ) -> None:
        people.approve(project)
        pq.write_table(pa.table({"email": ["ann@example.com"], "land": ["NL"]}), tmp_path / "wrong.parquet")
        with pytest.raises(AirflowFailException, match="SchemaMismatch"):
            _operator(tmp_path / "wrong.parquet", target, project=project).execute(_context())
        assert not target.exists()

    def test_a_key_that_the_project_lacks_fails_the_job_before_any_output(
        self, people: People, project: str, source: Path, target: Path
    ) -> None:
        people.approve(project, POLICY.replace("customer-id", "no-such-key"))
        with pytest.raises(AirflowFailException, match="KeyUnavailable"):
            _operator(source, target, project=project).execute(_context())
        job = people.engineer.job(project, job_id_of(_context()["ti"]))
        assert job.state == "failed"
        assert job.error
        assert "no-such-key" in job.error
        assert not target.exists()

    def test_a_policy_that_is_replaced_during_the_run_is_applied_to_the_end(
        self, people: People, project: str, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        digest = people.approve(project)
        operator = _operator(source, target, project=project)
        _before_the_commit(operator, lambda: people.approve(project, KEEP_ALL), monkeypatch)
        assert operator.execute(_context())["policy_digest"] == digest
        assert pq.read_schema(target).names == ["email", "country"]


def _before_the_commit(
    operator: CapeTransformOperator, event: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have something happen when the output is written, and before the coordinator is asked once more."""
    ask = operator._before_commit
    monkeypatch.setattr(operator, "_before_commit", lambda plan: (event(), ask(plan)))


def test_a_coordinator_that_goes_away_before_the_commit_leaves_no_output_and_is_worth_a_retry(
    outage: Outage, source: Path, target: Path, own_outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = _operator(source, target, project=outage.project)
    _before_the_commit(operator, outage.begin, monkeypatch)
    with pytest.raises(AirflowException, match="CoordinatorUnavailable") as failure:
        operator.execute(_context())
    assert not isinstance(failure.value, AirflowFailException)
    assert not target.exists()
    outage.end()
    result = _operator(source, target, project=outage.project).execute(_context(try_number=2))
    job = outage.people.engineer.job(outage.project, result["job_id"])
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert waiting(own_outbox) == []


def test_a_report_that_cannot_be_delivered_does_not_fail_the_task_unless_it_is_required(
    outage: Outage, source: Path, target: Path, own_outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(**changed: Any) -> dict[str, Any]:
        operator = _operator(source, target, project=outage.project, **changed)
        finish = operator.hook.finish_job
        monkeypatch.setattr(operator.hook, "finish_job", lambda *report: (outage.begin(), finish(*report)))
        return operator.execute(_context())

    assert run()["rows_out"] == 3
    assert len(waiting(own_outbox)) == 1
    outage.end()
    with pytest.raises(AirflowException, match="could not be delivered"):
        run(fail_on_report=True)


class TestWithAPolicyFile:
    def test_no_coordinator_is_asked(self, source: Path, target: Path, policy_file: Path, key_file: Path) -> None:
        operator = _operator(
            source, target, policy_file=str(policy_file), key_file=str(key_file), cape_conn_id="no_such_connection"
        )
        assert operator.execute(_context())["rows_out"] == 3

    def test_keys_are_taken_from_the_environment_too(
        self, source: Path, target: Path, policy_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CAPE_KEY_CUSTOMER_ID", "A" * 43)
        assert _operator(source, target, policy_file=str(policy_file)).execute(_context())["rows_out"] == 3

    def test_a_key_that_nobody_has_fails_for_good(self, source: Path, target: Path, policy_file: Path) -> None:
        with pytest.raises(AirflowFailException, match="KeyUnavailable"):
            _operator(source, target, policy_file=str(policy_file)).execute(_context())
        assert not target.exists()

    def test_a_pinned_digest_must_be_that_of_the_file(self, source: Path, target: Path, policy_file: Path) -> None:
        operator = _operator(source, target, policy_file=str(policy_file), policy_digest="0" * 64)
        with pytest.raises(AirflowFailException, match=r"not the pinned 0000"):
            operator.execute(_context())

    @pytest.mark.parametrize("content", [None, b"\xff\xfe", b"rules: ["])
    def test_a_policy_file_that_cannot_be_read_is_named(
        self, source: Path, target: Path, tmp_path: Path, content: bytes | None
    ) -> None:
        path = tmp_path / "wrong.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(AirflowFailException, match=r"PolicyError: .*wrong\.yaml"):
            _operator(source, target, policy_file=str(path)).execute(_context())

    def test_a_source_that_is_not_there_is_worth_a_retry(
        self, tmp_path: Path, target: Path, policy_file: Path, key_file: Path
    ) -> None:
        operator = _operator(tmp_path / "not-yet.parquet", target, policy_file=str(policy_file), key_file=str(key_file))
        with pytest.raises(AirflowException, match="DatasetError") as failure:
            operator.execute(_context())
        assert not isinstance(failure.value, AirflowFailException)

    def test_formats_and_reading_options_are_passed_on(
        self, tmp_path: Path, target: Path, policy_file: Path, key_file: Path
    ) -> None:
        (tmp_path / "customers.txt").write_text("email,country\n001,31\n")
        operator = _operator(
            tmp_path / "customers.txt",
            target,
            policy_file=str(policy_file),
            key_file=str(key_file),
            source_format="csv",
            target_format="jsonl",
            source_options={"column_types": {"email": "string", "country": "string"}},
        )
        operator.execute(_context())
        assert json.loads(target.read_text())["country"] == "31"

    def test_a_storage_can_be_named_by_an_airflow_connection(
        self, source: Path, target: Path, policy_file: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_DISK", json.dumps({"conn_type": "fs"}))
        operator = CapeTransformOperator(
            task_id="deidentify",
            source=f"file://{source}",
            target=f"file://{target}",
            source_conn_id="disk",
            target_conn_id="disk",
            policy_file=str(policy_file),
            key_file=str(key_file),
        )
        assert operator.execute(_context())["rows_out"] == 3

    def test_a_killed_task_writes_nothing(self, source: Path, target: Path, policy_file: Path, key_file: Path) -> None:
        target.write_text("as it was")
        operator = _operator(source, target, policy_file=str(policy_file), key_file=str(key_file))
        operator.on_kill()
        with pytest.raises(AirflowException, match="told to stop"):
            operator.execute(_context())
        assert target.read_text() == "as it was"
        assert {path.name for path in target.parent.iterdir()} == {source.name, target.name, "policy.yaml", "keys.json"}

    def test_an_error_that_is_not_ours_is_shown_without_its_message(
        self, source: Path, target: Path, policy_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object) -> None:
            raise pa.ArrowInvalid("could not convert 'ann@example.com'")

        operator = _operator(source, target, policy_file=str(policy_file))
        monkeypatch.setattr(operator, "_keys", fails)
        with pytest.raises(AirflowException, match="ArrowInvalid at") as failure:
            operator.execute(_context())
        shown = "".join(traceback.format_exception(failure.value))
        assert "could not convert" not in shown


def test_the_job_id_is_the_same_for_all_tries_and_for_no_other_task() -> None:
    ids = {
        job_id_of(_context(**changed)["ti"])
        for changed in ({}, {"dag_id": "x"}, {"run_id": "x"}, {"task_id": "x"}, {"map_index": 0})
    }
    assert len(ids) == 5
    assert all(len(each) == 32 for each in ids)
    assert job_id_of(_context(try_number=7)["ti"]) == job_id_of(_context()["ti"])


def test_two_airflows_have_jobs_of_their_own_although_dags_and_runs_have_the_same_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = set()
    for option, name in (
        ("API__BASE_URL", "https://a.example"),
        ("API__BASE_URL", "https://b.example"),
        ("CAPE__DEPLOYMENT", "c"),
    ):
        monkeypatch.setenv(f"AIRFLOW__{option}", name)
        ids.add(job_id_of(_context()["ti"]))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://d.example")  # of no meaning beside a name of its own
    assert len(ids | {job_id_of(_context()["ti"])}) == 3


def test_names_that_join_in_the_same_way_are_different_jobs() -> None:
    assert job_id_of(_context(dag_id="a", run_id="b.c")["ti"]) != job_id_of(_context(dag_id="a.b", run_id="c")["ti"])


@pytest.mark.parametrize("argument", ["source", "target"])
def test_a_url_with_credentials_is_refused_when_the_dag_is_parsed(argument: str) -> None:
    urls = {"source": "s3://bucket/in", "target": "s3://bucket/out"} | {argument: "s3://AKIA:hunter2@bucket/x"}
    with pytest.raises(CapeError, match="no credentials") as refusal:
        CapeTransformOperator(task_id="deidentify", project="pay", **urls)
    assert "hunter2" not in str(refusal.value)


def test_a_templated_url_with_credentials_is_refused_when_it_runs() -> None:
    operator = CapeTransformOperator(task_id="deidentify", project="pay", source="{{ params.s }}", target="out.csv")
    operator.source = "s3://AKIA:hunter2@bucket/x"
    with pytest.raises(AirflowFailException, match="no credentials") as refusal:
        operator.execute(_context())
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("argument", ["source", "target", "project", "policy_digest", "policy_file"])
def test_a_native_template_that_finds_nothing_stops_the_task(argument: str, source: Path, target: Path) -> None:
    given = {"source": str(source), "target": str(target), "project": "pay", "policy_file": "p.yaml"}
    with DAG("pay", schedule=None, render_template_as_native_obj=True):
        operator = CapeTransformOperator(task_id="deidentify", **{**given, argument: "{{ params.get('missing') }}"})
    operator.render_template_fields({"params": {}})
    assert getattr(operator, argument) is None
    with pytest.raises(AirflowFailException, match=f"NotApproved: {argument} was given, but"):
        operator.execute(_context())


def test_a_key_file_whose_native_template_finds_nothing_is_not_replaced_by_the_environment(
    source: Path, target: Path, policy_file: Path
) -> None:
    with DAG("pay", schedule=None, render_template_as_native_obj=True):
        operator = _operator(source, target, policy_file=str(policy_file), key_file="{{ params.get('missing') }}")
    operator.render_template_fields({"params": {}})
    with pytest.raises(AirflowFailException, match="key_file was given, but"):
        operator.execute(_context())


@pytest.mark.parametrize("argument", ["source", "target", "policy_digest"])
def test_the_output_of_another_task_can_be_an_argument(argument: str) -> None:
    with DAG("pay", schedule=None) as dag:

        @task
        def upstream() -> str:
            return "x"

        given = {"source": "a.csv", "target": "b.csv", "project": "pay"}
        CapeTransformOperator(task_id="deidentify", **{**given, argument: upstream()})
    assert dag.get_task("deidentify").upstream_task_ids == {"upstream"}


def test_a_key_file_beside_a_project_is_refused_since_one_of_them_would_win_in_silence() -> None:
    with pytest.raises(ValueError, match="not both"):
        CapeTransformOperator(task_id="deidentify", source="a", target="b", project="pay", key_file="keys.json")


def test_either_a_project_or_a_policy_file_is_needed() -> None:
    with pytest.raises(ValueError, match="give a project"):
        CapeTransformOperator(task_id="deidentify", source="a.csv", target="b.csv")


def test_no_argument_takes_a_key_or_storage_options() -> None:
    for argument in ("keys", "key", "storage_options", "token", "policy"):
        with pytest.raises(TypeError):
            CapeTransformOperator(task_id="deidentify", source="a.csv", target="b.csv", project="p", **{argument: "x"})


def test_parsing_a_dag_file_imports_none_of_what_only_a_running_task_needs() -> None:
    script = (
        "import sys, cape_airflow.operators.transform, cape_airflow.sensors.approval;"
        "print(*sorted({'pyarrow', 'numpy', 'sqlglot', 'requests', 'cape_airflow.engines'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""  # the lines before are Airflow's
