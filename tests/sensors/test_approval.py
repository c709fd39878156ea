from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk import DAG

from cape_airflow.sensors.approval import CapePolicyApprovalSensor
from tests.airflow.coordinator import People

pytestmark = pytest.mark.usefixtures("connected")

DECIDED = {"status": "decided"}


def _sensor(project: str, **changed: Any) -> CapePolicyApprovalSensor:
    return CapePolicyApprovalSensor(task_id="approved", project=project, **{"timeout": 60, **changed})


def test_it_gives_the_digest_at_once_where_a_policy_is_approved_already(people: People, project: str) -> None:
    digest = people.approve(project)
    assert _sensor(project).execute({}) == digest


def test_it_defers_where_nothing_is_approved_yet(project: str) -> None:
    with pytest.raises(TaskDeferred) as deferral:
        _sensor(project, poke_interval=timedelta(seconds=45)).execute({})
    assert deferral.value.method_name == "execute_complete"
    assert isinstance(deferral.value.timeout, timedelta)
    assert deferral.value.timeout.total_seconds() == pytest.approx(60, abs=5)
    assert deferral.value.trigger.serialize()[1] == {
        "project": project,
        "suggestion_id": None,
        "cape_conn_id": "cape_default",
        "poke_interval": 45.0,
        "remind_at": None,
    }


def test_after_the_deferral_it_gives_the_digest_that_was_approved(people: People, project: str) -> None:
    digest = people.approve(project)
    assert _sensor(project).resume_execution("execute_complete", {"event": DECIDED}, {}) == digest


def test_a_suggestion_is_waited_for_although_the_project_has_an_approved_policy(people: People, project: str) -> None:
    people.approve(project)
    other = people.suggest(project, "version: 1\nrules: [{match: {name: x}, actions: [drop]}]")
    sensor = _sensor(project, suggestion_id=other.id)
    with pytest.raises(TaskDeferred):
        sensor.execute({})
    people.officer.approve(project, other.id, other.digest)
    assert sensor.execute({}) == other.digest


def test_a_rejection_fails_at_once_with_the_reviewers_words(people: People, project: str) -> None:
    suggestion = people.suggest(project)
    people.officer.reject(project, suggestion.id, suggestion.digest, "The e-mail domain tells the employer.")
    with pytest.raises(AirflowFailException, match=r"rejected by .*: The e-mail domain tells the employer\."):
        _sensor(project, suggestion_id=suggestion.id).execute({})


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_rejection_skips_where_a_soft_failure_is_wanted(people: People, project: str, deferrable: bool) -> None:
    suggestion = people.suggest(project)
    people.officer.reject(project, suggestion.id, suggestion.digest, "no")
    with pytest.raises(AirflowSkipException):
        _sensor(project, suggestion_id=suggestion.id, soft_fail=True, deferrable=deferrable).execute({})


def test_without_deferral_it_waits_in_the_worker(people: People, project: str) -> None:
    sensor = _sensor(project, deferrable=False)
    assert not sensor.poke({})
    digest = people.approve(project)
    assert sensor.execute({}) == digest


def test_too_long_a_wait_fails_and_says_what_was_waited_for(project: str) -> None:
    timed_out = {"error": "Trigger timeout", "traceback": None}
    with pytest.raises(AirflowSensorTimeout, match=f"a policy of project `{project}` was not decided within 60 s"):
        _sensor(project).resume_execution("__fail__", timed_out, {})


def test_too_long_a_wait_in_the_worker_fails(project: str) -> None:
    with pytest.raises(AirflowSensorTimeout):
        _sensor(project, deferrable=False, poke_interval=0, timeout=0).execute({})


def test_an_error_of_the_trigger_fails_with_its_code(project: str) -> None:
    event = {"status": "error", "code": "not-found"}
    with pytest.raises(AirflowFailException, match="could not be waited for: not-found"):
        _sensor(project).execute_complete({}, event)


def test_a_coordinator_that_is_down_is_waited_for(people: People, project: str, connected: pytest.MonkeyPatch) -> None:
    connected.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection(deadline=1) | {"port": 1}))
    with pytest.raises(TaskDeferred):
        _sensor(project).execute({})
    assert not _sensor(project, deferrable=False).poke({})


def test_a_coordinator_that_goes_down_after_the_decision_is_waited_for_in_the_time_that_is_left(
    people: People, project: str, connected: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TaskDeferred) as first:
        _sensor(project).execute({})
    connected.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection(deadline=1) | {"port": 1}))
    kwargs = {"event": DECIDED, **(first.value.kwargs or {})}
    with pytest.raises(TaskDeferred) as second:
        _sensor(project).resume_execution(first.value.method_name, kwargs, {})
    assert second.value.kwargs == first.value.kwargs
    assert second.value.timeout < first.value.timeout


def test_a_decision_that_cannot_be_seen_when_no_time_is_left_is_a_timeout(
    people: People, project: str, connected: pytest.MonkeyPatch
) -> None:
    connected.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(people.connection(deadline=1) | {"port": 1}))
    with pytest.raises(AirflowSensorTimeout, match="was not decided within 60 s"):
        _sensor(project).resume_execution("execute_complete", {"event": DECIDED, "deadline": 1.0}, {})


def test_an_event_that_the_coordinator_does_not_confirm_approves_nothing(project: str) -> None:
    with pytest.raises(TaskDeferred):
        _sensor(project).execute_complete({}, DECIDED)


@pytest.mark.parametrize("argument", ["project", "suggestion_id"])
def test_a_native_template_that_finds_nothing_lets_no_other_approval_through(
    people: People, project: str, argument: str
) -> None:
    people.approve(project)
    given = {"project": project, argument: "{{ params.get('missing') }}"}
    with DAG("approval", schedule=None, render_template_as_native_obj=True):
        sensor = CapePolicyApprovalSensor(task_id="approved", **given)
    sensor.render_template_fields({"params": {}})
    assert getattr(sensor, argument) is None
    for ask in (sensor.execute, sensor.poke, lambda context: sensor.execute_complete(context, DECIDED)):
        with pytest.raises(AirflowFailException, match=f"{argument} was given, but"):
            ask({})


def test_a_project_that_is_not_there_fails_at_once(people: People) -> None:
    with pytest.raises(AirflowFailException, match="CoordinatorRefused: there is no such project"):
        _sensor("nowhere").execute({})


def test_an_approval_that_is_signed_by_another_key_than_the_pinned_one_releases_nothing(
    people: People, project: str, connected: pytest.MonkeyPatch
) -> None:
    people.approve(project)
    pinned = people.connection(signing_keys="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")  # RFC 8032, test 1
    connected.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(pinned))
    with pytest.raises(AirflowFailException, match="signed by a key that is not trusted here"):
        _sensor(project).execute({})


def test_its_templates_are_names_only() -> None:
    with DAG("approval", schedule=None):
        sensor = CapePolicyApprovalSensor(task_id="approved", project="{{ params.p }}", suggestion_id="{{ params.s }}")
    sensor.render_template_fields({"params": {"p": "pay", "s": "01H"}})
    assert (sensor.project, sensor.suggestion_id) == ("pay", "01H")


def test_a_suggestion_that_is_withdrawn_fails_at_once(people: People, project: str) -> None:
    suggestion = people.suggest(project)
    people.officer.withdraw(project, suggestion.id)
    with pytest.raises(AirflowFailException, match="was withdrawn"):
        _sensor(project, suggestion_id=suggestion.id).execute({})


def test_a_suggestion_whose_policy_was_replaced_stays_approved(people: People, project: str) -> None:
    first = people.suggest(project)
    people.officer.approve(project, first.id, first.digest)
    second = people.suggest(project, "version: 1\nrules: [{match: {name: x}, actions: [drop]}]")
    people.officer.approve(project, second.id, second.digest)
    assert _sensor(project, suggestion_id=first.id).execute({}) == first.digest


OVERDUE = {"status": "overdue"}


def test_people_are_reminded_each_time_that_it_has_waited_so_long_again(project: str) -> None:
    told: list[Any] = []
    sensor = _sensor(project, remind_after=timedelta(seconds=30), on_waiting=[told.append])
    with pytest.raises(TaskDeferred) as first:
        sensor.execute({})
    assert first.value.trigger.remind_at == first.value.kwargs["remind_at"] == pytest.approx(time.time() + 30, abs=10)
    with pytest.raises(TaskDeferred) as second:
        sensor.resume_execution("execute_complete", {"event": OVERDUE, **first.value.kwargs}, {"x": 1})
    assert told == [{"x": 1}]
    assert second.value.kwargs["remind_at"] >= first.value.kwargs["remind_at"]
    assert second.value.kwargs["deadline"] == first.value.kwargs["deadline"]


def test_nobody_is_reminded_of_what_was_decided_in_that_moment(people: People, project: str) -> None:
    told: list[Any] = []
    digest = people.approve(project)
    sensor = _sensor(project, remind_after=timedelta(seconds=30), on_waiting=told.append)
    assert sensor.resume_execution("execute_complete", {"event": OVERDUE}, {}) == digest
    assert told == []


def test_a_reminder_that_fails_ends_no_wait_and_shows_nothing_of_its_message(
    project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_context: Any) -> None:
        raise RuntimeError("https://hooks.example/secret")

    sensor = _sensor(project, remind_after=timedelta(seconds=30), on_waiting=fail)
    with pytest.raises(TaskDeferred):
        sensor.resume_execution("execute_complete", {"event": OVERDUE}, {})
    said = capsys.readouterr().out
    assert "RuntimeError" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "given",
    [
        {"remind_after": timedelta(seconds=1)},
        {"on_waiting": print},
        {"remind_after": timedelta(seconds=1), "on_waiting": print, "deferrable": False},
    ],
)
def test_a_reminder_needs_a_time_somebody_to_tell_and_a_triggerer(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="remind_after goes with on_waiting"):
        _sensor("pay", **given)
