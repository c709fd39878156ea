from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from cape_airflow.engines.spark.desk import CANCEL, Desk, OperatorGone, read_status
from cape_airflow.engines.spark.messages import Application, Opened, Orders, Status
from cape_airflow.errors import CapeError
from cape_airflow.jobs import Progress
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.policy import compile_plan, load_policy

POLICY = """
version: 2
domain: tests
rules:
  - match: {name: email}
    actions: [{transform: {type: keyed-hash, key: {ref: customer-id}}}]
"""
KEY = Key("customer-id", {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}, primary=2)
OPENED = Opened(application=Application(id="app-1"), schema_="")


class Keys:
    def get(self, name: str) -> Key | None:
        return KEY if name == "customer-id" else None

    def names(self) -> tuple[str, ...]:
        return ("customer-id",)


def _orders(folder: Path | None = None) -> Orders:
    plan = compile_plan(load_policy(POLICY), pa.schema({"email": pa.string()}))
    return Orders.of(plan, KeyRing(Keys()), folder and str(folder))


def _desk(*lines: str) -> tuple[Desk, io.StringIO]:
    outgoing = io.StringIO()
    return Desk(io.StringIO("".join(f"{line}\n" for line in lines)), outgoing), outgoing


def test_keys_arrive_with_all_their_versions() -> None:
    desk, _ = _desk(_orders().model_dump_json())
    key = desk.orders(OPENED).key_ring().get("customer-id")
    assert (key.primary, dict(key.versions)) == (2, dict(KEY.versions))


def test_orders_show_no_key() -> None:
    shown = repr(_orders())
    assert "versions" not in shown
    assert "MTEx" not in shown


def test_the_operator_hears_the_schema_first_and_then_how_far_it_is() -> None:
    desk, outgoing = _desk(_orders().model_dump_json())
    desk.orders(OPENED)
    desk.tell(Status(stages="stage 1: 2 of 4 tasks"))
    first, second = (json.loads(line) for line in outgoing.getvalue().splitlines())
    assert first["application"]["id"] == "app-1"
    assert second["stages"] == "stage 1: 2 of 4 tasks"


def test_an_operator_that_ends_before_its_orders_ends_the_driver() -> None:
    desk, _ = _desk()
    with pytest.raises(OperatorGone):
        desk.orders(OPENED)


def test_orders_that_are_none_are_refused_without_showing_them() -> None:
    desk, _ = _desk('{"plan": {}, "keys": {"k": {"primary": 1, "versions": {"1": "canary"}}}}')
    with pytest.raises(CapeError) as caught:
        desk.orders(OPENED)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_driver_that_is_left_to_itself_tells_its_folder(tmp_path: Path) -> None:
    desk, outgoing = _desk(_orders(tmp_path).model_dump_json())
    desk.orders(OPENED)
    assert read_status(tmp_path).application == OPENED.application
    desk.tell(Status(state="written", progress=Progress(rows_in=3)))
    assert read_status(tmp_path).progress.rows_in == 3
    assert len(outgoing.getvalue().splitlines()) == 1
    assert "keys" not in (tmp_path / "status.json").read_text()


def test_a_closed_pipe_stops_the_driver() -> None:
    read, write = os.pipe()
    stopped = threading.Event()
    with os.fdopen(read) as incoming:
        Desk(incoming, io.StringIO()).watch(stopped.set)
        assert not stopped.wait(0.2)
        os.close(write)
        assert stopped.wait(10)


def test_a_word_in_the_folder_stops_a_driver_that_is_left_to_itself(tmp_path: Path) -> None:
    desk, _ = _desk(_orders(tmp_path).model_dump_json())
    desk.orders(OPENED)
    stopped = threading.Event()
    desk.watch(stopped.set)
    assert not stopped.wait(0.2)
    (tmp_path / CANCEL).touch()
    assert stopped.wait(10)
