from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset, ObjectStoragePath, task

from cape_airflow.decorators.transform import cape_transform_task
from cape_airflow.errors import NotApproved
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.keys import add_key
from cape_airflow.operators.transform import job_id_of
from tests.airflow.coordinator import POLICY, People

ROWS = {"email": ["ann@example.com", "bob@example.com", None, "cy@example.com"], "country": ["NL", "XX", "DE", "NL"]}
TI = {"dag_id": "pay", "run_id": "manual__1", "task_id": "extract", "map_index": -1, "try_number": 1}


def _context(**changed: Any) -> dict[str, Any]:
    return {"ti": SimpleNamespace(**{**TI, **changed}), "outlet_events": {}}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deidentified.parquet"


@pytest.fixture
def by_file(tmp_path: Path) -> dict[str, str]:
    """Arguments for a policy and keys from files."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    add_key(tmp_path / "keys.json", "customer-id")
    return {"policy_file": str(tmp_path / "policy.yaml"), "key_file": str(tmp_path / "keys.json")}


def _operator(function: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """Return the task that calling the decorated function puts into a DAG."""
    with DAG("pay", schedule=None):
        return cape_transform_task(**given)(function)(*args).operator


def _run(function: Callable[..., Any], *args: Any, **given: Any) -> dict[str, Any]:
    result = _operator(function, *args, **given).execute(_context())
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    "make",
    [
        pa.table,
        pa.record_batch,
        pd.DataFrame,
        pl.DataFrame,
        lambda rows: pa.RecordBatchReader.from_batches(pa.table(rows).schema, iter(pa.table(rows).to_batches())),
    ],
)
def test_what_a_function_returns_is_written_de_identified(
    make: Callable[[Any], Any], target: Path, by_file: dict[str, str]
) -> None:
    def extract() -> Any:
        return make(ROWS)

    result = _run(extract, target=str(target), **by_file)
    assert (result["rows_in"], result["rows_out"], result["target"]) == (4, 3, str(target))
    output = pq.read_table(target)
    assert output.column("country").to_pylist() == ["NL", "DE", "NL"]
    assert not set(ROWS["email"]) & set(output.column("email").drop_null().to_pylist())


@pytest.mark.parametrize("kind", [str, Path, lambda path: f"file://{path}"])
def test_a_function_may_return_where_the_data_is(
    kind: Callable[[str], Any], target: Path, tmp_path: Path, by_file: dict[str, str]
) -> None:
    pq.write_table(pa.table(ROWS), tmp_path / "customers.parquet")

    def extract() -> Any:
        return kind(str(tmp_path / "customers.parquet"))

    operator = _operator(extract, target=str(target), **by_file)
    assert operator.execute(_context())["rows_out"] == 3
    assert operator.source == str(kind(str(tmp_path / "customers.parquet")))


def test_a_path_of_airflow_brings_its_connection_along(
    target: Path, tmp_path: Path, by_file: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DISK", json.dumps({"conn_type": "fs"}))
    pq.write_table(pa.table(ROWS), tmp_path / "customers.parquet")

    def extract() -> ObjectStoragePath:
        return ObjectStoragePath(f"file://disk@{tmp_path}/customers.parquet")

    operator = _operator(extract, target=str(target), **by_file)
    assert operator.execute(_context())["rows_out"] == 3
    assert (operator.source, operator.source_conn_id) == (f"file://{tmp_path}/customers.parquet", "disk")


@pytest.mark.usefixtures("connected")
class TestWithACoordinator:
    def test_the_approved_policy_is_applied_and_the_job_reported(
        self, people: People, project: str, target: Path
    ) -> None:
        def extract() -> pa.Table:
            return pa.table(ROWS)

        digest = people.approve(project)
        result = _run(extract, project=project, target=str(target))
        assert result == {
            "job_id": job_id_of(_context()["ti"]),
            "policy_digest": digest,
            "rows_in": 4,
            "rows_out": 3,
            "rows_suppressed": 1,
            "target": str(target),
        }
        job = people.engineer.job(project, result["job_id"])
        assert (job.state, job.source, job.target) == ("succeeded", "extract()", str(target))

    def test_a_retry_is_the_same_job_and_writes_the_same_bytes(
        self, people: People, project: str, target: Path
    ) -> None:
        def extract() -> pa.Table:
            return pa.table(ROWS)

        people.approve(project)
        first = _run(extract, project=project, target=str(target))
        written = target.read_bytes()
        again = _operator(extract, project=project, target=str(target)).execute(_context(try_number=2))
        assert again == first
        assert target.read_bytes() == written
        assert people.engineer.job(project, first["job_id"]).attempts == 2

    def test_without_an_approved_policy_the_function_is_not_even_called(self, project: str, target: Path) -> None:
        called = []

        def extract() -> None:
            called.append(True)

        with pytest.raises(AirflowFailException, match="NotApproved"):
            _run(extract, project=project, target=str(target))
        assert not called

    def test_the_coordinator_is_asked_once_more_before_the_output_appears(
        self, people: People, project: str, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def extract() -> pa.Table:
            # The policy is approved by now: from here on it no longer is.
            monkeypatch.setattr(operator.hook, "get_policy", withdrawn)
            return pa.table(ROWS)

        def withdrawn(*_: object) -> None:
            raise NotApproved("the approval was withdrawn")

        people.approve(project)
        operator = _operator(extract, project=project, target=str(target))
        with pytest.raises(AirflowFailException, match="withdrawn"):
            operator.execute(_context())
        assert not target.exists()


def test_arguments_and_the_context_reach_the_function(target: Path, by_file: dict[str, str]) -> None:
    def extract(country: str, *, ti: Any = None, more: int = 0) -> pa.Table:
        return pa.table({"email": [f"{ti.dag_id}{more}"], "country": [country]})

    _run(extract, "BE", target=str(target), **by_file)
    assert pq.read_table(target).column("country").to_pylist() == ["BE"]


def test_an_argument_may_be_part_of_the_target(tmp_path: Path, by_file: dict[str, str]) -> None:
    def extract(day: str) -> pa.Table:
        return pa.table(ROWS)

    with DAG("pay", schedule=None):
        target = f"{tmp_path}/{{{{ task.op_kwargs['day'] }}}}.parquet"
        operator = cape_transform_task(target=target, **by_file)(extract)(day="2026-11-21").operator
    operator.render_template_fields({**_context(), "task": operator})
    assert operator.execute(_context())["target"] == f"{tmp_path}/2026-11-21.parquet"
    assert (tmp_path / "2026-11-21.parquet").exists()


@pytest.mark.parametrize("given", [{}, {"target": None}])
def test_without_a_target_the_dag_does_not_parse_since_frames_do_not_belong_in_xcom(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="do not belong in XCom"):
        cape_transform_task(project="pay", **given)


def test_the_decorator_is_airflows_task_by_name(target: Path, by_file: dict[str, str]) -> None:
    with DAG("pay", schedule=None) as dag:

        @task.cape_transform(target=str(target), **by_file)
        def extract() -> pa.Table:
            """Says what it is for."""
            return pa.table(ROWS)

        extract()
    operator = dag.get_task("extract")
    assert (operator.operator_name, operator.doc_md) == ("@task.cape_transform", "Says what it is for.")
    assert operator.execute(_context())["rows_out"] == 3


def test_an_asset_that_is_an_argument_is_an_inlet(target: Path, by_file: dict[str, str]) -> None:
    customers = Asset(name="customers", uri="file:///data/customers")

    def extract(asset: Asset) -> pa.Table:
        return pa.table(ROWS)

    operator = _operator(extract, customers, target=str(target), **by_file)
    operator.execute(_context())
    assert operator.inlets == [customers]


def test_a_frame_is_no_dataset_of_lineage_and_a_path_is(target: Path, tmp_path: Path, by_file: dict[str, str]) -> None:
    pq.write_table(pa.table(ROWS), tmp_path / "customers.parquet")
    for returned, name in (
        (pa.table(ROWS), None),
        (str(tmp_path / "customers.parquet"), f"{tmp_path}/customers.parquet"),
    ):

        def extract(returned: object = returned) -> object:
            return returned

        operator = _operator(extract, target=str(target), **by_file)
        operator.execute(_context())
        source, output = operator._datasets()
        assert (source and source.name, output.name) == (name, str(target))


class TestFailures:
    def test_an_error_of_the_function_is_shown_by_class_and_line_without_its_message(
        self, target: Path, by_file: dict[str, str]
    ) -> None:
        def extract() -> pa.Table:
            return pd.DataFrame({"ssn": ["canary"]})["ssn"].astype(int)

        with pytest.raises(
            AirflowException, match=r"extract\(\) raised ValueError at .*test_transform\.py:"
        ) as failure:
            _run(extract, target=str(target), **by_file)
        assert not isinstance(failure.value, AirflowFailException)  # what failed may be a database that comes back
        assert "canary" not in "".join(traceback.format_exception(failure.value))

    @pytest.mark.parametrize("kind", ["AirflowSkipException", "AirflowFailException"])
    def test_a_function_may_skip_or_fail_its_task_and_what_it_had_caught_is_not_shown(
        self, kind: str, target: Path, by_file: dict[str, str]
    ) -> None:
        import airflow.exceptions
        import airflow.sdk.exceptions

        raised = getattr(airflow.sdk.exceptions, kind, None) or getattr(airflow.exceptions, kind)  # Airflow 3.1

        def extract() -> pa.Table:
            try:
                raise ValueError("canary")
            except ValueError as error:
                raise raised("nothing to do") from error

        with pytest.raises(raised, match="nothing to do") as failure:
            _run(extract, target=str(target), **by_file)
        assert "canary" not in "".join(traceback.format_exception(failure.value))

    @pytest.mark.parametrize(
        ("returned", "words"),
        [
            (None, "DataError: a policy is applied to"),
            ("", r"DataError: extract\(\) returned an empty path"),
            ("s3://AKIA:canary@bucket/x.parquet", "no credentials"),
            (pd.DataFrame({"email": ["canary"]}, index=["canary"]), "SchemaMismatch: .*reset_index"),
            (pd.DataFrame({"email": ["canary"], "land": ["NL"]}), "SchemaMismatch"),
        ],
    )
    def test_what_no_policy_can_be_applied_to_fails_for_good_and_shows_no_value(
        self, returned: object, words: str, target: Path, by_file: dict[str, str]
    ) -> None:
        def extract() -> object:
            return returned

        with pytest.raises(AirflowFailException, match=words) as failure:
            _run(extract, target=str(target), **by_file)
        assert "canary" not in "".join(traceback.format_exception(failure.value))
        assert not target.exists()


def test_no_value_of_a_returned_frame_is_in_the_result_a_template_field_or_the_serialized_dag(
    target: Path, by_file: dict[str, str]
) -> None:
    from airflow.serialization import serialized_objects

    # Airflow 3.1 calls it otherwise.
    serialization = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)

    def extract() -> pa.Table:
        return pa.table({"email": ["canary"], "country": ["NL"]})

    operator = _operator(extract, target=str(target), **by_file)
    result = operator.execute(_context())
    fields = {name: getattr(operator, name) for name in operator.template_fields}
    serialized = json.dumps(serialization.to_dict(operator.dag), default=str)
    assert "canary" not in f"{result} {fields} {serialized} {vars(operator)}"
    assert "source" not in operator.template_fields  # what a function returns is no template


def test_parsing_a_dag_file_with_it_imports_none_of_what_only_a_running_task_needs() -> None:
    script = (
        "import sys\nfrom airflow.sdk import DAG, task\n"
        "with DAG('pay', schedule=None):\n"
        "    @task.cape_transform(project='pay', target='/x.parquet')\n"
        "    def extract(): ...\n"
        "    extract()\n"
        "print(*sorted({'pyarrow', 'numpy', 'pandas', 'sqlglot', 'cape_airflow.engines'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""  # the lines before are Airflow's
