from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from cape_airflow.errors import CapeError
from cape_airflow.hooks.compat import AirflowException, AirflowFailException
from cape_airflow.operators.suggest import CapeSuggestPolicyOperator
from tests.airflow.coordinator import POLICY, Outage, People

ROWS = {"email": [f"e{n:03d}@example.com" for n in range(30)], "country": ["NL", "XX", "DE"] * 10}


@pytest.fixture
def as_engineer(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cape_engineer` is the connection of the engineer, who contributes to projects."""
    token = people.admin.create_token("tests", user_email="engineer@example.com").token.reveal().decode()
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_ENGINEER", json.dumps(people.connection() | {"password": token}))


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "customers.parquet"
    pq.write_table(pa.table(ROWS), path)
    return str(path)


def _operator(project: str, **changed: Any) -> CapeSuggestPolicyOperator:
    given: dict[str, Any] = {"title": "hash e-mail addresses", "policy": POLICY, "cape_conn_id": "cape_engineer"}
    return CapeSuggestPolicyOperator(task_id="suggest", project=project, **given | changed)


def _run(project: str, **changed: Any) -> dict[str, Any]:
    return _operator(project, **changed).execute({"ti": SimpleNamespace()})  # type: ignore[arg-type]


@pytest.mark.usefixtures("as_engineer")
class TestSuggesting:
    def test_a_policy_is_suggested_and_not_approved(self, people: People, project: str) -> None:
        result = _run(project, description="as agreed")
        [suggestion] = people.officer.suggestions(project)
        assert result == {"suggestion_id": suggestion.id, "digest": suggestion.digest, "state": "open"}
        assert (suggestion.title, suggestion.description) == ("hash e-mail addresses", "as agreed")
        assert (suggestion.author, suggestion.policy) == ("engineer@example.com", POLICY)
        assert people.officer.project(project).policy_digest is None

    def test_an_owner_who_suggests_does_not_approve_either(
        self, people: People, project: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = people.admin.create_token("tests", user_email="officer@example.com").token.reveal().decode()
        monkeypatch.setenv("AIRFLOW_CONN_CAPE_OWNER", json.dumps(people.connection() | {"password": token}))
        assert _run(project, cape_conn_id="cape_owner")["state"] == "open"
        assert people.officer.project(project).policy_digest is None

    def test_a_policy_file_is_suggested_as_it_stands(self, people: People, project: str, tmp_path: Path) -> None:
        (tmp_path / "policy.yaml").write_text(POLICY)
        _run(project, policy=None, policy_file=str(tmp_path / "policy.yaml"))
        assert [each.policy for each in people.officer.suggestions(project)] == [POLICY]

    @pytest.mark.parametrize("decided", [None, "request-changes"])
    def test_what_the_same_user_has_suggested_and_nobody_has_decided_is_not_suggested_again(
        self, people: People, project: str, decided: str | None
    ) -> None:
        first = _run(project)
        if decided:
            people.officer.request_changes(project, first["suggestion_id"], first["digest"], "say why")
        again = _run(project, policy=POLICY + "\n# the same in other words")
        assert again["suggestion_id"] == first["suggestion_id"]
        assert again["state"] == ("changes-requested" if decided else "open")
        assert len(people.officer.suggestions(project)) == 1

    def test_what_is_in_force_is_not_suggested_again(self, people: People, project: str, source: str) -> None:
        digest = people.approve(project)
        [approved] = people.officer.suggestions(project)
        result = _run(project, dry_run_source=source)
        assert result == {"suggestion_id": approved.id, "digest": digest, "state": "approved"}
        assert len(people.officer.suggestions(project)) == 1

    def test_what_was_rejected_withdrawn_or_suggested_by_another_may_be_suggested(
        self, people: People, project: str
    ) -> None:
        first = _run(project)
        people.officer.reject(project, first["suggestion_id"], first["digest"], "no")
        second = _run(project)
        people.engineer.withdraw(project, second["suggestion_id"])
        people.officer.suggest(project, "mine", POLICY)
        third = _run(project)
        assert len({each["suggestion_id"] for each in (first, second, third)}) == 3
        assert len(people.officer.suggestions(project)) == 4

    def test_what_was_in_force_and_no_longer_is_may_be_suggested(self, people: People, project: str) -> None:
        people.approve(project)
        people.approve(project, POLICY.replace("customers", "clients"))
        assert _run(project)["state"] == "open"

    def test_reviewers_see_a_dry_run_and_a_retry_attaches_what_an_earlier_try_did_not(
        self, people: People, project: str, source: str
    ) -> None:
        first = _run(project)
        assert people.officer.review(project, first["suggestion_id"]).dry_run is None
        assert _run(project, dry_run_source=source, dry_run_rows=20) == first
        attached = people.officer.review(project, first["suggestion_id"]).dry_run
        assert attached is not None
        assert (attached.report.rows_in, attached.report.rows_out) == (20, 13)
        _run(project, dry_run_source=source)
        again = people.officer.review(project, first["suggestion_id"]).dry_run
        assert again == attached

    def test_a_policy_that_does_not_fit_the_data_is_not_suggested(
        self, people: People, project: str, tmp_path: Path
    ) -> None:
        pq.write_table(pa.table({"mail": ["x"]}), tmp_path / "other.parquet")
        with pytest.raises(AirflowFailException, match="SchemaMismatch"):
            _run(project, dry_run_source=str(tmp_path / "other.parquet"))
        assert people.officer.suggestions(project) == ()

    @pytest.mark.parametrize("text", ["rules: [", "label: p\nversion: 2\nrulez: []"])
    def test_a_wrong_policy_is_not_suggested(self, people: People, project: str, text: str) -> None:
        with pytest.raises(AirflowFailException, match="PolicyError"):
            _run(project, policy=text)
        assert people.officer.suggestions(project) == ()

    def test_a_project_that_one_does_not_belong_to_is_named_with_the_way_out(self, people: People) -> None:
        with pytest.raises(AirflowFailException, match=r"engineer@example.com.*is no member of project `elsewhere`"):
            _run("elsewhere")

    def test_the_page_of_the_review_is_known(self, people: People, project: str) -> None:
        operator = _operator(project)
        result = operator.execute({"ti": SimpleNamespace()})  # type: ignore[arg-type]
        [link] = operator.operator_extra_links
        page = f"/projects/{project}/suggestions/{result['suggestion_id']}"
        assert link.get_link(operator, ti_key=None).endswith(page)


@pytest.mark.usefixtures("connected")
def test_a_worker_may_not_suggest_and_is_told_who_may(people: People, project: str) -> None:
    with pytest.raises(
        AirflowFailException, match=r"worker@example.com.*is worker of.*connection of a project-contrib"
    ):
        _run(project, cape_conn_id="cape_default")
    assert people.officer.suggestions(project) == ()


def test_a_coordinator_that_is_down_is_worth_a_retry(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    outage.begin()
    with pytest.raises(AirflowException, match="CoordinatorUnavailable") as failure:
        _run(outage.project, cape_conn_id="cape_default")
    assert not isinstance(failure.value, AirflowFailException)


@pytest.mark.parametrize("argument", ["project", "title", "policy", "policy_file", "dry_run_source"])
def test_a_template_that_finds_nothing_stops_the_task(argument: str) -> None:
    given: dict[str, Any] = {"project": "p", "title": "t", "dry_run_source": "x.csv"}
    given |= {"policy": POLICY} if argument != "policy_file" else {}
    with DAG("pay", schedule=None, render_template_as_native_obj=True):
        operator = CapeSuggestPolicyOperator(task_id="suggest", **given | {argument: "{{ params.get('missing') }}"})
    operator.render_template_fields({"params": {}})  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match=f"{argument} was given, but"):
        operator.execute({})  # type: ignore[typeddict-item]


def test_one_policy_is_given_in_one_way() -> None:
    for both in ({}, {"policy": "x", "policy_file": "y"}):
        with pytest.raises(ValueError, match="either policy"):
            CapeSuggestPolicyOperator(task_id="suggest", project="p", title="t", **both)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        _operator("p", dry_run_rows=0)


def test_a_source_with_credentials_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(CapeError, match="no credentials") as refusal:
        _operator("p", dry_run_source="s3://AKIA:hunter2@bucket/x")
    assert "hunter2" not in str(refusal.value)
