from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from cape_airflow.engines.spark.desk import CANCEL, STATUS, write_status
from cape_airflow.engines.spark.messages import Failure, Status
from cape_airflow.jobs import Progress
from cape_airflow.triggers import spark as module
from cape_airflow.triggers.spark import LOST_SECONDS, CapeSparkTrigger


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLING_SECONDS", 0.0)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


def _event(trigger: CapeSparkTrigger) -> Any:
    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        return None

    return asyncio.run(asyncio.wait_for(first(), 20))


@pytest.mark.parametrize(
    "status", [Status(state="written"), Status(state="failed", failure=Failure(kind="ValueRefused"))]
)
def test_a_driver_that_has_ended_is_told_however_it_ended(tmp_path: Path, status: Status) -> None:
    write_status(tmp_path, status)
    assert _event(CapeSparkTrigger(folder=str(tmp_path))) == {"status": "ended"}


def test_the_trigger_waits_while_the_driver_runs(tmp_path: Path) -> None:
    write_status(tmp_path, Status(progress=Progress(rows_in=1200)))

    async def first_event_after_the_end() -> tuple[bool, Any]:
        event = asyncio.ensure_future(anext(CapeSparkTrigger(folder=str(tmp_path)).run()))
        done, _ = await asyncio.wait([event], timeout=0.5)
        write_status(tmp_path, Status(state="written"))
        return bool(done), (await asyncio.wait_for(event, 20)).payload

    assert asyncio.run(first_event_after_the_end()) == (False, {"status": "ended"})


def test_a_driver_that_is_silent_for_too_long_is_lost(tmp_path: Path) -> None:
    write_status(tmp_path, Status())
    long_ago = time.time() - LOST_SECONDS - 60
    os.utime(tmp_path / STATUS, (long_ago, long_ago))
    event = _event(CapeSparkTrigger(folder=str(tmp_path)))
    assert event["status"] == "lost"
    assert event["seconds"] > LOST_SECONDS


def test_a_folder_that_the_triggerer_does_not_see_is_a_lost_driver(tmp_path: Path) -> None:
    assert _event(CapeSparkTrigger(folder=str(tmp_path / "nowhere")))["status"] == "lost"


def test_a_task_that_is_stopped_while_it_waits_stops_its_driver(tmp_path: Path) -> None:
    asyncio.run(CapeSparkTrigger(folder=str(tmp_path)).on_kill())
    assert (tmp_path / CANCEL).exists()


def test_what_airflow_stores_brings_the_same_trigger_back(tmp_path: Path) -> None:
    path, arguments = CapeSparkTrigger(folder=str(tmp_path)).serialize()
    again = resolve_name(path)(**arguments)
    assert again.serialize() == (path, {"folder": str(tmp_path)})
