from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from cape_airflow.client.results import AuditEntry
from cape_airflow.hooks.compat import AirflowFailException
from cape_airflow.operators.reveal import CapeRevealOperator
from cape_airflow.operators.transform import CapeTransformOperator
from tests.airflow.coordinator import POLICY, People

TOKENISE = POLICY.replace("keyed-hash", "deterministic-encryption")
REVEAL = POLICY.replace("keyed-hash", "reveal")
ROWS = {"email": [f"e{n:02d}@example.com" for n in range(30)], "country": ["NL", "XX", "DE"] * 10}
WORKER = "worker@example.com"


def _context(task_id: str) -> Any:
    names = {"dag_id": "pay", "run_id": "manual__1", "task_id": task_id, "map_index": -1, "try_number": 1}
    return {"ti": SimpleNamespace(**names)}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "revealed.parquet"


@pytest.fixture
def tokens(people: People, project: str, connected: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A dataset with tokens under the key of the project, whose approved policy reveals."""
    source, path = tmp_path / "customers.parquet", tmp_path / "tokens.parquet"
    pq.write_table(pa.table(ROWS), source)
    people.approve(project, TOKENISE)
    arguments = {"project": project, "source": str(source), "target": str(path)}
    CapeTransformOperator(task_id="tokenise", **arguments).execute(_context("tokenise"))
    people.approve(project, REVEAL)
    people.admin.set_reveal(project, WORKER, True)
    return path


def _operator(project: str, source: Path, target: Path, **changed: Any) -> CapeRevealOperator:
    given: dict[str, Any] = {"purpose": "a complaint of a customer", "row_limit": 20} | changed
    return CapeRevealOperator(task_id="reveal", project=project, source=str(source), target=str(target), **given)


def _run(project: str, source: Path, target: Path, **changed: Any) -> dict[str, Any]:
    return _operator(project, source, target, **changed).execute(_context("reveal"))


def _revealed(people: People, project: str) -> list[AuditEntry]:
    return [entry for entry in people.admin.audit() if entry.event == "reveal-key" and entry.project == project]


def test_tokens_are_turned_back_and_the_audit_log_says_who_what_for_and_how_many_rows(
    people: People, project: str, tokens: Path, target: Path
) -> None:
    result = _run(project, tokens, target)
    assert (result["rows_in"], result["rows_out"]) == (20, 20)
    wanted = [email for email, country in zip(*ROWS.values(), strict=True) if country != "XX"]
    assert pq.read_table(target)["email"].to_pylist() == wanted
    [entry] = _revealed(people, project)
    assert entry.user_email == WORKER
    assert entry.target_label == "customer-id 1, at most 20 rows: a complaint of a customer"
    assert people.engineer.job(project, result["job_id"]).state == "succeeded"


def test_without_the_grant_nothing_is_handed_over_or_written(
    people: People, project: str, tokens: Path, target: Path
) -> None:
    people.admin.set_reveal(project, WORKER, False)
    with pytest.raises(AirflowFailException, match=r"KeyUnavailable.*may-not-reveal"):
        _run(project, tokens, target)
    assert not target.exists()
    assert _revealed(people, project) == []


def test_more_rows_than_the_limit_are_refused_before_a_key_is_asked_for(
    people: People, project: str, tokens: Path, target: Path
) -> None:
    with pytest.raises(AirflowFailException, match="20 rows would be revealed, and row_limit is 19"):
        _run(project, tokens, target, row_limit=19)
    assert {path.name for path in target.parent.iterdir() if path.suffix == ".parquet"} == {
        "customers.parquet",
        "tokens.parquet",
    }
    assert _revealed(people, project) == []
    [job] = [job for job in people.engineer.jobs(project) if job.state == "failed"]
    assert "row_limit is 19" in str(job.error)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_rows_that_the_policy_drops_are_not_counted(
    people: People, project: str, tokens: Path, target: Path, suffix: str
) -> None:
    rows = pq.read_table(tokens)
    more = pa.concat_tables([rows, rows.set_column(1, "country", pa.array(["XX"] * len(rows)))])
    source = tokens.with_name(f"more.{suffix}")
    (pq.write_table if suffix == "parquet" else pacsv.write_csv)(more, source)
    result = _run(project, source, target)
    assert (result["rows_in"], result["rows_out"]) == (40, 20)


def test_rows_that_are_dropped_by_what_was_revealed_are_not_counted_either(
    people: People, project: str, tokens: Path, target: Path
) -> None:
    source = tokens.with_name("old.parquet")
    rule = "{match: {name: email}, actions: [{transform: {type: %s}}]}"
    rules = [rule % "deterministic-encryption, key: {ref: customer-id}"]
    _approve_version_1(people, project, rules)
    arguments = {"project": project, "source": str(tokens.with_name("customers.parquet")), "target": str(source)}
    CapeTransformOperator(task_id="tokenise", **arguments).execute(_context("tokenise"))
    one = rule % "row-redact, condition: \"email != 'e00@example.com'\""
    _approve_version_1(people, project, [rule % "reveal, key: {ref: customer-id}", one])
    result = _run(project, source, target, row_limit=1)
    assert (result["rows_in"], result["rows_out"]) == (30, 1)


def _approve_version_1(people: People, project: str, rules: list[str]) -> None:
    people.approve(project, "label: old\nrules:\n" + "".join(f"  - {rule}\n" for rule in rules))


def test_a_source_that_grew_since_it_was_counted_is_not_published(
    project: str, tokens: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = _operator(project, tokens, target)
    check = operator._check_run

    def grow(*arguments: Any) -> None:
        check(*arguments)
        operator.row_limit = 19  # as if there were one more

    monkeypatch.setattr(operator, "_check_run", grow)
    with pytest.raises(AirflowFailException, match="nothing was written"):
        operator.execute(_context("reveal"))
    assert not target.exists()


def test_a_policy_that_reveals_nothing_needs_no_key_to_reveal(
    people: People, project: str, tokens: Path, target: Path
) -> None:
    people.approve(project)
    with pytest.raises(AirflowFailException, match="reveals nothing"):
        _run(project, tokens, target)
    assert _revealed(people, project) == []


def test_no_other_operator_reveals_though_the_worker_may(
    people: People, project: str, tokens: Path, target: Path
) -> None:
    operator = CapeTransformOperator(task_id="t", project=project, source=str(tokens), target=str(target))
    with pytest.raises(AirflowFailException, match="that takes CapeRevealOperator"):
        operator.execute(_context("t"))
    assert not target.exists()


def test_tokens_of_a_retired_version_are_revealed(people: People, project: str, tokens: Path, target: Path) -> None:
    people.admin.rotate_key(project, "customer-id")
    people.admin.retire_key(project, "customer-id", 1)
    assert _run(project, tokens, target)["rows_out"] == 20


@pytest.mark.parametrize("purpose", [" ", "x" * 201, "two\nlines"])
def test_a_purpose_is_one_line_that_says_something(
    people: People, project: str, tokens: Path, target: Path, purpose: str
) -> None:
    with pytest.raises(AirflowFailException, match="purpose must be one line"):
        _run(project, tokens, target, purpose=purpose)
    assert _revealed(people, project) == []


def test_a_purpose_whose_template_finds_nothing_stops_the_task(tmp_path: Path) -> None:
    with DAG("pay", schedule=None, render_template_as_native_obj=True):
        operator = _operator("p", tmp_path / "a", tmp_path / "b", purpose="{{ params.get('missing') }}")
    operator.render_template_fields({"params": {}})  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="purpose was given, but"):
        operator.execute(_context("reveal"))


@pytest.mark.parametrize("wrong", [{"row_limit": 0}, {"row_limit": True}, {"row_limit": "9"}, {"purpose": ""}])
def test_what_is_required_is_required_when_the_dag_is_parsed(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"row_limit must be|and a purpose"):
        _operator("p", tmp_path / "a", tmp_path / "b", **wrong)
    for missing in ("project", "purpose", "row_limit"):
        given = {"project": "p", "source": "a", "target": "b", "purpose": "x", "row_limit": 1}
        with pytest.raises(TypeError if missing != "project" else (TypeError, ValueError)):
            CapeRevealOperator(task_id="reveal", **{name: given[name] for name in given if name != missing})
