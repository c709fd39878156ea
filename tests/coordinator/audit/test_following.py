"""Checkpoints and sinks: when they are made, by whom, and what happens in trouble."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest
from starlette.testclient import TestClient

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.audit.checkpoints import CheckpointFile
from cape_airflow.coordinator.audit.following import Watch, followers_of
from cape_airflow.errors import CoordinatorError


class Sleeper:
    """A follower that notes what it was asked, and fails when it is told to."""

    name = "sleeper"

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fails = False
        self.meanwhile: Callable[[], None] = lambda: None

    def due(self, behind: int, idle: timedelta | None) -> bool:
        return behind > 0

    def follow(self, after: int, until: int) -> Iterator[int]:
        self.asked.append((after, until))
        self.meanwhile()
        if self.fails:
            raise CoordinatorError("nobody there")
        yield until


def state(deployment: Any, name: str) -> tuple[int, str | None]:
    seq, trouble = deployment.rows(f"SELECT done_seq, trouble FROM audit_followers WHERE name = '{name}'")[0]
    return seq, trouble


def test_a_follower_goes_on_where_it_was_also_after_trouble(log: Any) -> None:
    sleeper, first = Sleeper(), log.end
    watch = Watch(log.coordinator, sleeper, owner="a")
    watch.round()
    log.grow(2)
    sleeper.fails = True
    watch.round()
    assert state(log.deployment, "sleeper") == (first, "nobody there")
    sleeper.fails = False
    watch.round()
    assert len(sleeper.asked) == 2, "it is left alone for a moment"
    log.deployment.clock.turn(seconds=11)
    watch.round()
    assert sleeper.asked == [(0, first), (first, first + 2), (first, first + 2)]
    assert state(log.deployment, "sleeper") == (first + 2, None)


def test_one_replica_follows_at_a_time_and_another_one_replaces_it_when_it_dies(log: Any) -> None:
    first, second = Sleeper(), Sleeper()
    theirs = Watch(log.coordinator, second, owner="b")
    first.meanwhile = theirs.round
    Watch(log.coordinator, first, owner="a").round()
    assert (len(first.asked), second.asked) == (1, [])
    log.grow(1)

    def die() -> None:
        raise KeyboardInterrupt

    first.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        Watch(log.coordinator, first, owner="a").round()
    theirs.round()
    assert second.asked == []
    log.deployment.clock.turn(minutes=6)
    theirs.round()
    assert second.asked == [(log.end - 1, log.end)]


def test_one_that_comes_back_too_late_does_not_move_the_mark(log: Any) -> None:
    late, other = Sleeper(), Sleeper()
    watch = Watch(log.coordinator, other, owner="b")

    def overtaken() -> None:
        log.deployment.clock.turn(minutes=6)
        watch.round()
        log.tamper("UPDATE audit_followers SET done_seq = 1, lease_owner = 'c' WHERE name = 'sleeper'")

    late.meanwhile = overtaken
    Watch(log.coordinator, late, owner="a").round()
    assert state(log.deployment, "sleeper")[0] == 1


def test_L6_a_checkpoint_is_due_every_minute_and_every_thousand_rows(log_of: Callable[..., Any]) -> None:
    log = log_of(checkpoint_rows=5)
    log.follow()
    log.follow()
    assert len(log.checkpoints()) == 1
    log.grow(4)
    log.follow()
    assert len(log.checkpoints()) == 1
    log.grow(1)
    log.follow()
    assert [each.seq for each in log.checkpoints()] == [log.end - 5, log.end]
    log.deployment.clock.turn(seconds=60)
    log.follow()
    assert [each.seq for each in log.checkpoints()] == [log.end - 5, log.end, log.end]


def test_a_checkpoint_says_where_the_chain_stood_and_is_signed(log: Any) -> None:
    log.follow()
    (signed,) = CheckpointFile(log.coordinator.settings.checkpoints).read()
    assert (signed.checkpoint.seq, signed.checkpoint.rows) == (log.end, log.end)
    assert signed.checkpoint.head == log.deployment.rows(f"SELECT hash FROM audit WHERE seq = {log.end}")[0][0]
    assert signed.checkpoint.key_id == log.coordinator.signer.key_id


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET event = 'forged' WHERE seq = (SELECT max(seq) FROM audit)",
        "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit) - 1",
        "DELETE FROM audit WHERE seq > 3",
    ],
)
def test_what_was_changed_since_the_last_checkpoint_is_not_signed(log: Any, statement: str) -> None:
    log.follow()
    log.grow(2)
    log.tamper(statement)
    log.deployment.clock.turn(minutes=2)
    log.follow()
    assert len(log.checkpoints()) == 1
    assert "nothing is signed" in (state(log.deployment, "checkpoints")[1] or "")


def test_what_a_crash_left_of_a_line_is_taken_away_by_the_next_checkpoint(log: Any) -> None:
    log.follow()
    file = log.coordinator.settings.checkpoints
    with file.open("a") as lines:
        lines.write('{"checkpoint": {"se')
    log.deployment.clock.turn(minutes=2)
    log.follow()
    assert len(log.checkpoints()) == 2
    assert file.read_text().count("\n") == 2


def test_an_app_follows_in_threads_of_its_own_and_to_the_end_when_it_stops(maker: Any, tmp_path: Path) -> None:
    target = tmp_path / "audit.jsonl"
    settings = maker.settings(audit_sinks={"copy": {"type": "file", "path": target}})
    with TestClient(create_app(settings)):
        deadline = time.monotonic() + 20
        while not (target.exists() and target.stat().st_size and settings.checkpoints.exists()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    seqs = [json.loads(line)["seq"] for line in target.read_text().splitlines()]
    (newest,) = CheckpointFile(settings.checkpoints).read()[-1:]
    assert seqs == list(range(1, newest.checkpoint.seq + 1))


def test_a_thread_that_meets_the_unexpected_goes_on(log: Any, caplog: pytest.LogCaptureFixture) -> None:
    sleeper, stop = Sleeper(), Signal()

    def stumble() -> None:
        sleeper.meanwhile = stop.set
        raise ZeroDivisionError

    sleeper.meanwhile = stumble
    log.deployment.clock.turn(minutes=6)
    watch = Watch(log.coordinator, sleeper, owner="a")
    watch._try_round()
    assert "could not follow the audit log" in caplog.text
    log.deployment.clock.turn(minutes=6)
    watch.run(stop)
    assert len(sleeper.asked) == 2


def test_settings_name_the_followers(log_of: Callable[..., Any], tmp_path: Path) -> None:
    sinks = {"one": {"type": "stdout"}, "two": {"type": "file", "path": tmp_path / "x"}}
    found = followers_of(log_of(audit_sinks=sinks).coordinator)
    assert [each.name for each in found] == ["checkpoints", "sink one", "sink two"]
