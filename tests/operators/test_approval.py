"""The operator against a real coordinator; Airflow's part, the record of a question and its answer, is played here.

`tests/airflow/test_approval.py` does the same with a real Airflow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

from cape_airflow.client import Suggestion
from cape_airflow.coordinator.answers import GivenAnswer, Place
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.identities import Identity, admit
from cape_airflow.coordinator.review.question import Question
from cape_airflow.coordinator.settings import Settings
from cape_airflow.operators.approval import CapeApprovalOperator
from cape_airflow.triggers.approval import CapeApprovalTrigger, CapePolicyApprovalTrigger
from tests.airflow.coordinator import POLICY, People, serving

ANSWERED = {"status": "answered"}
TI = SimpleNamespace(id=UUID(int=7), dag_id="dag", run_id="run", task_id="approved", map_index=None)
PLACE = Place("dag", "run", "approved")


@dataclass
class Airflow:
    """Keeps the question of one task instance as Airflow does: what is put again stays as it was."""

    name = "airflow-hitl"
    issuer = "airflow"
    root = "/cape"
    put: list[Any] = field(default_factory=list)
    given: GivenAnswer | None = None

    def send(self, msg: Any) -> None:
        """Take what a task tells its supervisor: questions, and secrets to be masked."""
        if isinstance(msg, CreateHITLDetailPayload):
            self.put.append(msg)
            self.given = None

    def find(self, place: Place) -> GivenAnswer | None:
        return self.given if place == PLACE else None

    def answer(self, email: str | None, chosen: str, comment: str | None = None) -> None:
        asked = self.put[0]
        question = Question(asked.subject, asked.body, tuple(asked.options), asked.params)
        self.given = GivenAnswer(question, email, datetime.now(UTC), (chosen,), comment)


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Airflow, People]]:
    """An Airflow, and the people of the coordinator inside it, who have all been there."""
    airflow = Airflow()
    settings = Settings(home=tmp_path_factory.mktemp("coordinator"))
    token = initialise(settings, "admin@example.com", "admin")
    app = create_app(settings, answers=airflow)
    with serving(settings, app=app) as url:
        people = People(url, token)
        for name in ("admin", "officer", "engineer"):
            _visit(app.state.coordinator, f"{name}@example.com")
        yield airflow, people


@pytest.fixture
def airflow(inside: tuple[Airflow, People], monkeypatch: pytest.MonkeyPatch) -> Airflow:
    airflow, people = inside
    airflow.put.clear()
    airflow.given = None
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection()))
    return airflow


@pytest.fixture
def people(inside: tuple[Airflow, People]) -> People:
    return inside[1]


def _visit(coordinator: Any, email: str) -> None:
    with coordinator.store.write() as session:
        call = Call(coordinator, session, None, None, coordinator.clock(), None, None)
        admit(call, Identity("airflow", email, email, email))
        session.commit()


@pytest.fixture
def project(people: People) -> str:
    return people.new_project()


@pytest.fixture
def suggestion(people: People, project: str) -> Suggestion:
    return people.suggest(project)


def operator(suggestion: Suggestion, **changed: Any) -> CapeApprovalOperator:
    given = {"project": suggestion.project, "suggestion_id": suggestion.id, "timeout": 60}
    return CapeApprovalOperator(task_id="approved", **{**given, **changed})


def deferral(call: Any, *arguments: Any, **more: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        call(*arguments, **more)
    found: TaskDeferred = deferred.value
    return found


def resumed(suggestion: Suggestion, last: TaskDeferred, event: Any = ANSWERED) -> Any:
    """Go on in a new process, as Airflow does."""
    return operator(suggestion).resume_execution(last.method_name, {**last.kwargs, "event": event}, {"ti": TI})


def test_it_puts_the_coordinators_question_and_waits_at_both_doors(airflow: Airflow, suggestion: Suggestion) -> None:
    told = []
    assigned = [{"id": "officer", "name": "officer"}]
    asks = operator(suggestion, notifiers=[told.append], assigned_users=assigned)
    waits = deferral(asks.execute, {"ti": TI})
    (asked,) = airflow.put
    assert (asked.ti_id, asked.options) == (TI.id, ["Approve", "Reject", "Request changes"])
    assert suggestion.digest in asked.body
    assert [user.id for user in asked.assigned_users] == ["officer"]
    assert asked.defaults is None
    assert told == [{"ti": TI}]
    assert isinstance(waits.trigger, CapeApprovalTrigger)
    assert waits.trigger.serialize()[1]["ti_id"] == str(TI.id)


@pytest.mark.parametrize("event", [ANSWERED, {"chosen_options": ["Approve"], "params_input": {}}])
def test_a_persons_yes_gives_the_digest(airflow: Airflow, suggestion: Suggestion, event: Any) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("officer@example.com", "Approve")
    assert resumed(suggestion, last, event) == suggestion.digest


def test_an_event_that_says_yes_approves_nothing_where_airflow_knows_of_no_answer(
    airflow: Airflow, people: People, suggestion: Suggestion
) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    forged = {"chosen_options": ["Approve"], "responded_by_user": {"id": "officer@example.com", "name": "officer"}}
    with pytest.raises(AirflowFailException, match="no-answer"):
        resumed(suggestion, last, forged)
    assert people.officer.suggestion(suggestion.project, suggestion.id).state == "open"


def test_what_was_approved_before_is_not_asked(airflow: Airflow, people: People, suggestion: Suggestion) -> None:
    people.officer.approve(suggestion.project, suggestion.id, suggestion.digest)
    assert operator(suggestion).execute({"ti": TI}) == suggestion.digest
    assert airflow.put == []


def test_an_approval_on_the_coordinators_page_ends_the_wait_too(
    airflow: Airflow, people: People, suggestion: Suggestion
) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    people.officer.approve(suggestion.project, suggestion.id, suggestion.digest)
    assert resumed(suggestion, last, {"status": "decided"}) == suggestion.digest


def test_the_authors_own_yes_does_not_count_and_the_question_stands_again(
    airflow: Airflow, people: People, suggestion: Suggestion, capsys: pytest.CaptureFixture[str]
) -> None:
    people.admin.set_contributor(suggestion.project, "engineer@example.com", "project-owner")
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("engineer@example.com", "Approve")
    again = deferral(resumed, suggestion, last)
    assert "engineer@example.com answered approve: nobody reviews a suggestion of his own" in capsys.readouterr().out
    assert len(airflow.put) == 2
    airflow.answer("officer@example.com", "Approve")
    assert resumed(suggestion, again) == suggestion.digest


def test_a_quorum_is_waited_for(airflow: Airflow, people: People, suggestion: Suggestion) -> None:
    people.admin.set_review_rule(suggestion.project, {"project-owner": 2})
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("officer@example.com", "Approve")
    again = deferral(resumed, suggestion, last)
    assert len(airflow.put) == 2
    airflow.answer("admin@example.com", "Approve")
    assert resumed(suggestion, again) == suggestion.digest


def test_a_no_fails_the_task_with_the_persons_words(airflow: Airflow, suggestion: Suggestion) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("officer@example.com", "Reject", "The domain tells the employer.")
    with pytest.raises(AirflowFailException, match=r"rejected by officer@example.com: The domain tells the employer\."):
        resumed(suggestion, last)


def test_a_no_without_a_reason_is_asked_for_again(airflow: Airflow, suggestion: Suggestion) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("officer@example.com", "Reject")
    deferral(resumed, suggestion, last)
    assert len(airflow.put) == 2


def test_a_request_for_changes_leads_to_the_review_page(
    airflow: Airflow, people: People, suggestion: Suggestion
) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("officer@example.com", "Request changes", "Drop the phone.")
    elsewhere = deferral(resumed, suggestion, last)
    assert type(elsewhere.trigger) is CapePolicyApprovalTrigger
    assert len(airflow.put) == 1
    better = people.engineer.edit_suggestion(suggestion.project, suggestion.id, 1, policy=POLICY.replace("XX", "YY"))
    people.officer.approve(suggestion.project, suggestion.id, better.digest)
    assert resumed(suggestion, elsewhere, {"status": "decided"}) == better.digest


def test_a_text_that_was_changed_meanwhile_is_not_approved_by_an_answer_to_the_one_before(
    airflow: Airflow, people: People, suggestion: Suggestion, capsys: pytest.CaptureFixture[str]
) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    people.engineer.edit_suggestion(suggestion.project, suggestion.id, 1, policy=POLICY.replace("XX", "YY"))
    airflow.answer("officer@example.com", "Approve")
    elsewhere = deferral(resumed, suggestion, last)
    assert people.officer.suggestion(suggestion.project, suggestion.id).state == "open"
    assert type(elsewhere.trigger) is CapePolicyApprovalTrigger
    assert "decided on its review page, or in another run" in capsys.readouterr().out


@pytest.mark.parametrize("email", [None, "stranger@example.com"])
def test_nobody_and_strangers_approve_nothing(airflow: Airflow, suggestion: Suggestion, email: str | None) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer(email, "Approve")
    deferral(resumed, suggestion, last)
    assert len(airflow.put) == 2


def test_a_coordinator_that_is_away_when_the_answer_comes_is_asked_again(
    airflow: Airflow, people: People, suggestion: Suggestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = deferral(operator(suggestion).execute, {"ti": TI})
    airflow.answer("officer@example.com", "Approve")
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection(deadline=1) | {"port": 1}))
        again = deferral(resumed, suggestion, last)
    assert len(airflow.put) == 1  # to put it again would forget the answer
    assert isinstance(again.trigger, CapeApprovalTrigger)
    assert resumed(suggestion, again) == suggestion.digest


def test_a_coordinator_elsewhere_is_refused_with_the_way_out(
    airflow: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "elsewhere")
    token = initialise(settings, "admin@example.com", "admin")
    with serving(settings) as url:
        people = People(url, token)
        suggestion = people.suggest(people.new_project())
        monkeypatch.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection()))
        with pytest.raises(AirflowFailException, match="not-inside-airflow"):
            operator(suggestion).execute({"ti": TI})
    assert airflow.put == []


def test_people_are_reminded_and_not_asked_anew(airflow: Airflow, suggestion: Suggestion) -> None:
    from datetime import timedelta

    told: list[Any] = []
    more = {"remind_after": timedelta(hours=1), "on_waiting": told.append}
    last = deferral(operator(suggestion, **more).execute, {"ti": TI})
    kwargs = {**last.kwargs, "event": {"status": "overdue"}}
    again = deferral(operator(suggestion, **more).resume_execution, last.method_name, kwargs, {"ti": TI})
    assert told == [{"ti": TI}]
    assert len(airflow.put) == 1
    assert isinstance(again.trigger, CapeApprovalTrigger)
    assert again.kwargs["remind_at"] > last.kwargs["remind_at"]
