from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from airflow.sdk.execution_time import task_runner

from cape_airflow.triggers import approval
from cape_airflow.triggers.approval import CapeApprovalTrigger, CapePolicyApprovalTrigger, longer
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


def test_a_connection_that_cannot_be_had_for_a_while_does_not_end_the_wait(
    people: People, project: str, connected: pytest.MonkeyPatch
) -> None:
    people.approve(project)

    async def decided_when_it_is_there() -> dict[str, str]:
        waiting = asyncio.create_task(_event(_trigger(project, cape_conn_id="later")))
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done
        connected.setenv("AIRFLOW_CONN_LATER", json.dumps(people.connection()))
        return await asyncio.wait_for(waiting, 20)

    assert asyncio.run(decided_when_it_is_there()) == {"status": "decided"}


class _Maintenance(BaseHTTPRequestHandler):
    """Says something in the coordinator's place, and then goes away."""

    answers: ClassVar[list[tuple[int, bytes]]] = []

    def do_GET(self) -> None:
        status, body = self.answers.pop(0) if self.answers else (200, b"{}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("suggestion_id", [None, "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_redirects_and_pages_of_others_do_not_end_the_wait(
    suggestion_id: str | None, connected: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connected.setattr(approval, "longer", lambda *_: 0.01)
    said = [(302, b""), (404, b"<html>"), (403, b'{"detail": "Forbidden"}'), (200, b"<html>back soon"), (404, b"[]")]
    refusal = b'{"code": "unauthenticated", "message": "no"}'
    connected.setattr(_Maintenance, "answers", [*said, (401, refusal)])
    with HTTPServer(("127.0.0.1", 0), _Maintenance) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        there = {"conn_type": "cape", "host": "127.0.0.1", "port": server.server_port, "password": "id,secret"}
        connected.setenv("AIRFLOW_CONN_CAPE_DEFAULT", json.dumps(there | {"extra": '{"scheme": "http"}'}))
        assert _run(_trigger("pay", suggestion_id=suggestion_id)) == {"status": "error", "code": "unauthenticated"}
        server.shutdown()
    assert capsys.readouterr().out.count("No answer of the coordinator") == len(said)


def test_heavy_imports_do_not_hold_up_the_event_loop(people: People, project: str) -> None:
    people.approve(project)
    script = """
import asyncio, sys, threading
from cape_airflow.triggers import approval
in_the_loop = set()
class Spy:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            in_the_loop.update({"pyarrow", "sqlglot", "httpx", "pydantic"} & {name})
async def run():
    sys.meta_path.insert(0, Spy())
    trigger = approval.CapePolicyApprovalTrigger(
        project=sys.argv[1], suggestion_id=None, cape_conn_id="cape_default", poke_interval=1
    )
    return [event.payload async for event in trigger.run()]
approval.SETTLING_SECONDS = 0
print(asyncio.run(run()), sorted(in_the_loop), "pyarrow" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", script, project], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[{'status': 'decided'}] [] True"


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


def test_it_says_when_the_wait_takes_long(project: str) -> None:
    begin = time.time()
    assert _run(_trigger(project, poke_interval=60, remind_at=begin + 0.6)) == {"status": "overdue"}
    assert time.time() - begin >= 0.6


def test_it_says_so_during_an_outage_too(outage: Outage) -> None:
    outage.begin()
    assert _run(_trigger(outage.project, remind_at=time.time() + 0.6)) == {"status": "overdue"}


class _Supervisor:
    """What Airflow tells a trigger of the question of a task instance: an answer, from the third time on."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def send(self, msg: Any) -> Any:
        self.asked.append(msg.ti_id)
        return SimpleNamespace(response_received=len(self.asked) > 2)


def test_an_answer_inside_airflow_fires_it(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = _Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    more = {"project": project, "suggestion_id": None, "cape_conn_id": "cape_default", "poke_interval": 0.05}
    trigger = CapeApprovalTrigger(ti_id=str(UUID(int=7)), **more)
    path, arguments = trigger.serialize()
    assert resolve_name(path)(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)
    assert _run(trigger) == {"status": "answered"}
    assert supervisor.asked == [UUID(int=7)] * 3
