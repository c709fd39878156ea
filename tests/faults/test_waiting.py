"""A sensor and its trigger before a coordinator that misbehaves: rows of docs/faults.md."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from cape_airflow.hooks.compat import AirflowFailException
from cape_airflow.keys.encoding import to_base64url
from cape_airflow.sensors.approval import CapePolicyApprovalSensor
from cape_airflow.triggers import approval
from cape_airflow.triggers.approval import CapePolicyApprovalTrigger
from tests.airflow.coordinator import People
from tests.faults import proxy as faults
from tests.faults.proxy import Proxy, Server

DECIDED = {"status": "decided"}
PASSING = {
    "down": faults.down,
    "slow": faults.slow,
    "dripping": faults.dripping,
    "reset": faults.reset_mid_body,
    "503": faults.unavailable,
    "login page": faults.login_page,
    "truncated": faults.truncated,
    "endless": faults.endless,
    "NaN": faults.not_a_number,
}


def _sensor(project: str, **changed: Any) -> CapePolicyApprovalSensor:
    return CapePolicyApprovalSensor(task_id="approved", project=project, **{"timeout": 60, **changed})


@pytest.mark.parametrize("fault", list(PASSING))
def test_a_sensor_asks_again_whatever_stands_in_the_coordinators_place(
    people: People, project: str, proxy: Proxy, fault: str
) -> None:
    digest = people.approve(project)
    proxy.plan("GET ", PASSING[fault])
    sensor = _sensor(project, deferrable=False)
    started = time.monotonic()
    assert not sensor.poke({})
    assert time.monotonic() - started < 6
    proxy._plan.clear()
    assert sensor.execute({}) == digest


def test_a_sensor_does_not_follow_a_redirect(people: People, project: str, proxy: Proxy) -> None:
    people.approve(project)
    elsewhere = Server(people.url)
    proxy.plan("GET ", faults.redirect_to(elsewhere.proxy.url))
    assert not _sensor(project, deferrable=False).poke({})
    assert elsewhere.proxy.asked == []
    elsewhere.stop()


def test_a_decision_that_the_coordinator_cannot_prove_releases_nothing(
    people: People, project: str, proxy: Proxy
) -> None:
    people.approve(project)
    proxy.plan("GET .*/policies/", faults.lying(lambda answer: answer.update(signature=to_base64url(bytes(64)))))
    with pytest.raises(AirflowFailException, match=r"NotApproved: .* the signature of its approval does not hold"):
        _sensor(project).execute({})


def test_a_token_that_is_revoked_while_a_sensor_waits_ends_the_wait(people: People, project: str, proxy: Proxy) -> None:
    sensor = _sensor(project, deferrable=False)
    assert not sensor.poke({})
    proxy.plan("GET ", faults.refusing(401, "unauthenticated"))
    with pytest.raises(AirflowFailException, match="unauthenticated"):
        sensor.poke({})


def test_a_trigger_asks_again_whatever_stands_in_the_coordinators_place(
    people: People, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "SETTLING_SECONDS", 0.0)
    projects = {name: people.new_project() for name in PASSING}
    for name, project in projects.items():
        people.approve(project)
        proxy.plan(f"/{project}/", PASSING[name], times=1)

    async def events() -> list[dict[str, str]]:
        waiting = [asyncio.create_task(_event(project)) for project in projects.values()]
        return await asyncio.wait_for(asyncio.gather(*waiting), 60)

    assert asyncio.run(events()) == [DECIDED] * len(projects)
    assert all(sum(f"/{project}/" in asked for asked in proxy.asked) > 1 for project in projects.values())


async def _event(project: str) -> dict[str, str]:
    trigger = CapePolicyApprovalTrigger(
        project=project, suggestion_id=None, cape_conn_id="cape_default", poke_interval=0.05
    )
    [event] = [event.payload async for event in trigger.run()]
    return dict(event)


def test_a_trigger_whose_token_is_refused_ends_the_wait_with_a_code(
    project: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "SETTLING_SECONDS", 0.0)
    proxy.plan("GET ", faults.refusing(403, "forbidden"))
    assert asyncio.run(asyncio.wait_for(_event(project), 30)) == {"status": "error", "code": "forbidden"}
