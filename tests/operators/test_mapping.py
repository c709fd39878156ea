from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, task

from cape_airflow.hooks.compat import AirflowFailException
from cape_airflow.keys import add_key
from cape_airflow.operators.mapping import INDEX_LABEL
from cape_airflow.operators.spark import CapeSparkOperator
from cape_airflow.operators.transform import CapeTransformOperator
from tests.airflow.coordinator import POLICY, People


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """Arguments of a task with a policy and keys from files."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    add_key(tmp_path / "keys.json", "customer-id")
    files = {"policy_file": str(tmp_path / "policy.yaml"), "key_file": str(tmp_path / "keys.json")}
    return {"task_id": "deidentify", **files}


@pytest.fixture
def pairs(tmp_path: Path) -> list[dict[str, str]]:
    """Two partitions, and where each is to go."""
    for day in ("monday", "tuesday"):
        table = pa.table({"email": [f"{day}@example.com"], "country": [day]})
        pq.write_table(table, tmp_path / f"{day}.parquet")
    return [
        {"source": f"{tmp_path}/{day}.parquet", "target": f"{tmp_path}/out/{day}.parquet"}
        for day in ("monday", "tuesday")
    ]


def _instance(mapped: Any, index: int) -> tuple[CapeTransformOperator, dict[str, Any]]:
    """Return one instance of a mapped task as Airflow makes it, and its context."""
    names = {"dag_id": "pay", "run_id": "manual__1", "task_id": "deidentify", "map_index": index, "try_number": 1}
    ti = SimpleNamespace(**names, task=mapped)
    context = {"ti": ti, "outlet_events": {}, "dag": mapped.dag, "dag_run": SimpleNamespace(conf={})}
    mapped.render_template_fields(context)
    return ti.task, context


def _mapped(how: Any, given: dict[str, Any], operator: Any = CapeTransformOperator) -> Any:
    with DAG("pay", schedule=None):
        return how(operator.partial(**given))


def test_each_pair_is_a_job_of_its_own(given: dict[str, Any], pairs: list[dict[str, str]], tmp_path: Path) -> None:
    mapped = _mapped(lambda part: part.expand_kwargs(pairs), given)
    jobs = set()
    for index in range(2):
        instance, context = _instance(mapped, index)
        jobs.add(instance.execute(context)["job_id"])
    assert len(jobs) == 2
    assert [pq.read_table(pair["target"]).column("country").to_pylist() for pair in pairs] == [["monday"], ["tuesday"]]


@pytest.mark.usefixtures("connected")
def test_each_instance_is_reported_with_its_index_under_the_policy_that_is_pinned(
    people: People, project: str, pairs: list[dict[str, str]]
) -> None:
    digest = people.approve(project)
    mapped = _mapped(
        lambda part: part.expand_kwargs(pairs), {"task_id": "deidentify", "project": project, "policy_digest": digest}
    )
    for index in range(2):
        instance, context = _instance(mapped, index)
        assert instance.execute(context)["policy_digest"] == digest
    jobs = people.engineer.jobs(project)
    assert {(job.origin["map_index"], job.source) for job in jobs} == {
        (str(index), pair["source"]) for index, pair in enumerate(pairs)
    }


def test_a_target_may_be_made_by_a_template_from_what_is_mapped(
    given: dict[str, Any], pairs: list[dict[str, str]], tmp_path: Path
) -> None:
    target = f"{tmp_path}/out/{{{{ ti.map_index }}}}.parquet"
    mapped = _mapped(lambda part: part.expand(source=[pair["source"] for pair in pairs]), {**given, "target": target})
    for index in range(2):
        instance, context = _instance(mapped, index)
        instance.execute(context)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.parquet", "1.parquet"}


def _crossed(pairs: list[dict[str, str]]) -> dict[str, list[str]]:
    return {name: [pair[name] for pair in pairs] for name in ("source", "target")}


@pytest.mark.parametrize("operator", [CapeTransformOperator, CapeSparkOperator])
def test_instances_that_would_write_over_each_other_are_refused_before_one_begins(
    operator: Any, given: dict[str, Any], pairs: list[dict[str, str]], tmp_path: Path
) -> None:
    ways = [
        (given, lambda part: part.expand(**_crossed(pairs))),
        (given, lambda part: part.expand(source=_crossed(pairs)["source"], target=[pairs[0]["target"]])),
        (
            {**given, "target": f"{tmp_path}/out/all.parquet"},
            lambda part: part.expand(source=_crossed(pairs)["source"]),
        ),
    ]
    for arguments, how in ways:
        instance, context = _instance(_mapped(how, arguments, operator), 0)
        with pytest.raises(AirflowFailException, match=r"write over each other.*`expand_kwargs`"):
            instance.execute(context)
    assert not (tmp_path / "out").exists()


def test_sources_from_another_task_count_as_several(given: dict[str, Any], pairs: list[dict[str, str]]) -> None:
    from cape_airflow.errors import CapeError
    from cape_airflow.operators.mapping import refuse_shared_target

    with DAG("pay", schedule=None):

        @task
        def found() -> list[str]:
            return []

        mapped = CapeTransformOperator.partial(**given).expand(source=found(), target=[pairs[0]["target"]])
    with pytest.raises(CapeError, match="write over each other"):
        refuse_shared_target(mapped.unmap({**given, **pairs[0]}))


def test_one_source_may_go_to_many_targets(given: dict[str, Any], pairs: list[dict[str, str]]) -> None:
    mapped = _mapped(
        lambda part: part.expand(source=[pairs[0]["source"]], target=[pair["target"] for pair in pairs]), given
    )
    for index in range(2):
        instance, context = _instance(mapped, index)
        instance.execute(context)
    assert all(Path(pair["target"]).exists() for pair in pairs)


def test_tables_that_are_appended_to_may_be_shared(given: dict[str, Any]) -> None:
    arguments = {**given, "target": "db.customers", "target_format": "table", "mode": "append", "conn_id": "no_such"}
    instance, context = _instance(_mapped(lambda part: part.expand(source=["a", "b"]), arguments, CapeSparkOperator), 0)
    with pytest.raises(Exception, match="no_such") as failure:
        instance.execute(context)
    assert "write over each other" not in str(failure.value)


class TestLabel:
    @pytest.mark.skipif("not _gives_defaults()", reason="Airflow 3.1 takes no default from operators")
    def test_a_mapped_instance_is_called_by_the_end_of_its_target(
        self, given: dict[str, Any], pairs: list[dict[str, str]]
    ) -> None:
        mapped = _mapped(lambda part: part.expand_kwargs(pairs), given)
        instance, context = _instance(mapped, 1)
        assert mapped.map_index_template == instance.map_index_template == INDEX_LABEL
        assert self._rendered(instance, context) == pairs[1]["target"][-200:]

    def test_it_is_shorter_than_airflows_column(self, given: dict[str, Any]) -> None:
        operator = CapeTransformOperator(source="a.csv", target="x" * 999, map_index_template=INDEX_LABEL, **given)
        assert len(self._rendered(operator, {"ti": SimpleNamespace(map_index=0), "task": operator})) == 200

    def test_a_task_that_is_not_mapped_gets_none(self, given: dict[str, Any]) -> None:
        operator = CapeTransformOperator(source="a.csv", target="b.csv", **given)
        assert self._rendered(operator, {"ti": SimpleNamespace(map_index=-1), "task": operator}) == ""

    def test_a_dag_may_give_its_own(self, given: dict[str, Any], pairs: list[dict[str, str]]) -> None:
        mapped = _mapped(
            lambda part: part.expand_kwargs(pairs), {**given, "map_index_template": "{{ task.source[-14:] }}"}
        )
        instance, context = _instance(mapped, 0)
        assert self._rendered(instance, context) == "monday.parquet"

    @staticmethod
    def _rendered(task: CapeTransformOperator, context: dict[str, Any]) -> str:
        from jinja2 import Environment

        return Environment(autoescape=False).from_string(task.map_index_template or "").render(context)  # noqa: S701


def _gives_defaults() -> bool:
    from airflow.sdk.bases import operator

    return hasattr(operator, "_get_operator_defaults")
