from __future__ import annotations

import asyncio
import json
import time
from itertools import accumulate
from pkgutil import resolve_name
from typing import Any

import pytest

from cape_airflow.triggers import approval
from cape_airflow.triggers.approval import CapePolicyApprovalTrigger, longer
from tests.airflow.coordinator import Outage, People

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without the seconds that Airflow needs; what they are for is tested with a real Airflow."""
    monkeypatch.setattr(approval, "SETTLING_SECONDS", 0.0)


def _trigger(project: str, **changed: Any) -> CapePolicyApprovalTrigger:
    given = {"suggestion_id": None, "cape_conn_id": "cape_default", "poke_interval": 0.05}
    return CapePolicyApprovalTrigger(project=project, **{**given, **changed})


async def _event(trigger: CapePolicyApprovalTrigger) -> dict[str, str]:
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return events[0]


def _run(trigger: CapePolicyApprovalTrigger, seconds: float = 20) -> dict[str, str]:
    return asyncio.run(asyncio.wait_for(_event(trigger), seconds))


def test_it_fires_where_a_policy_is_approved(people: People, project: str) -> None:
    people.approve(project)
    assert _run(_trigger(project)) == {"status": "decided"}


def test_it_waits_until_a_policy_is_approved(people: People, project: str) -> None:
    async def approved_meanwhile() -> dict[str, str]:
        waiting = asyncio.create_task(_event(_trigger(project)))
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done
        await asyncio.to_thread(people.approve, project)
        return await asyncio.wait_for(waiting, 20)

    assert asyncio.run(approved_meanwhile()) == {"status": "decided"}


def test_it_fires_where_the_suggestion_is_rejected(people: People, project: str) -> None:
    suggestion = people.suggest(project)
    people.officer.reject(project, suggestion.id, suggestion.digest, "words that stay with the coordinator")
    assert _run(_trigger(project, suggestion_id=suggestion.id)) == {"status": "decided"}


def test_an_open_suggestion_does_not_fire_it_although_another_policy_is_approved(people: People, project: str) -> None:
    people.approve(project)
    other = people.suggest(project, "version: 1\nrules: [{match: {name: x}, actions: [drop]}]")
    with pytest.raises(TimeoutError):
        _run(_trigger(project, suggestion_id=other.id), seconds=0.5)


def test_what_airflow_stores_of_it_rebuilds_it_and_holds_no_secret(people: People, project: str) -> None:
    path, arguments = _trigger(project, suggestion_id="01H").serialize()
    stored = json.dumps(arguments)
    assert people.worker_token not in stored
    assert resolve_name(path)(**json.loads(stored)).serialize() == (path, arguments)


def test_a_refusal_ends_the_wait_with_a_code_and_no_text(people: People) -> None:
    assert _run(_trigger("nowhere")) == {"status": "error", "code": "not-found"}


def test_a_missing_connection_ends_the_wait_with_a_code(project: str) -> None:
    assert _run(_trigger(project, cape_conn_id="no_such_connection"))["status"] == "error"


def test_a_token_that_is_not_known_ends_the_wait(people: People, project: str, connected: pytest.MonkeyPatch) -> None:
    wrong = people.connection() | {"password": people.worker_token[:-4] + "AAAA"}
    connected.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(wrong))
    assert _run(_trigger(project))["status"] == "error"


def test_it_outlasts_an_outage_of_the_coordinator(outage: Outage) -> None:
    outage.begin()

    async def decided_when_it_is_over() -> dict[str, str]:
        waiting = asyncio.create_task(_event(_trigger(outage.project)))
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done
        outage.end()
        return await asyncio.wait_for(waiting, 20)

    assert asyncio.run(decided_when_it_is_over()) == {"status": "decided"}


def test_pauses_grow_while_the_coordinator_is_down_and_never_past_five_minutes_or_the_interval() -> None:
    pauses = list(accumulate(range(9), lambda pause, _: longer(pause, 30.0), initial=30.0))
    assert pauses == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0, 300.0, 300.0, 300.0, 300.0]
    assert longer(3600.0, 3600.0) == 3600.0


def test_it_reports_nothing_before_airflow_has_settled_the_deferral(
    people: People, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "SETTLING_SECONDS", 0.7)
    people.approve(project)
    begin = time.monotonic()
    assert _run(_trigger(project, poke_interval=0)) == {"status": "decided"}
    assert time.monotonic() - begin >= 0.7
