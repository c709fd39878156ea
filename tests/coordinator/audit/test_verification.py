"""L1: whatever is done to the log is found, and where; on the real databases."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from cape_airflow.coordinator.audit.chain import FACTS, GENESIS, Entry, hash_of
from cape_airflow.coordinator.audit.checkpoints import Checkpoint
from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.audit.verification import verify

COPY = (
    "seq, time, event, user_id, user_email, project, target_type, target_id, target_label, request_id, client_address"
)


def found(report: Any) -> list[tuple[int, int | None]]:
    return [(finding.first, finding.last) for finding in report.findings]


def test_L1_a_log_that_nobody_touched_verifies(log: Any) -> None:
    log.follow()
    log.grow(3)
    report = log.verify()
    assert report.intact
    assert report.rows == report.seq == log.end
    assert report.covered == log.end - 3


@pytest.mark.parametrize("column", [name for name in FACTS if name != "time"])
def test_L1_an_edited_field_is_found_in_its_row(log: Any, column: str) -> None:
    log.tamper(f"UPDATE audit SET {column} = 'forged' WHERE seq = 7")
    assert found(log.verify()) == [(7, 7)]


def test_L1_an_edited_time_is_found_in_its_row(log: Any) -> None:
    log.tamper("UPDATE audit SET time = '2020-01-01 00:00:00.000000' WHERE seq = 7")
    assert found(log.verify()) == [(7, 7)]


def test_L1_a_row_that_was_edited_and_hashed_again_is_found_at_the_next_row(log: Any) -> None:
    entry = one(log, 7) | {"user_email": "innocent@example.com"}
    log.tamper(f"UPDATE audit SET user_email = 'innocent@example.com', hash = '{hash_of(entry)}' WHERE seq = 7")
    assert found(log.verify()) == [(8, 8)]


def test_L1_removed_rows_are_found_where_they_were(log: Any) -> None:
    log.tamper("DELETE FROM audit WHERE seq IN (7, 12, 13)")
    assert found(log.verify()) == [(7, 7), (12, 13)]


def test_L1_a_removed_beginning_is_found(log: Any) -> None:
    log.tamper("DELETE FROM audit WHERE seq <= 4")
    assert found(log.verify()) == [(1, 4)]


def test_L1_rows_that_changed_places_are_both_found(log: Any) -> None:
    log.tamper(
        "UPDATE audit SET seq = 1000 WHERE seq = 7",
        "UPDATE audit SET seq = 7 WHERE seq = 12",
        "UPDATE audit SET seq = 12 WHERE seq = 1000",
    )
    places = {place for place, _ in found(log.verify())}
    assert {7, 12} <= places


def test_L1_a_row_that_was_put_in_is_found(log: Any) -> None:
    end = log.end
    log.tamper(
        *(f"UPDATE audit SET seq = {seq + 1} WHERE seq = {seq}" for seq in range(end, 7, -1)),
        f"INSERT INTO audit ({COPY}, previous, hash) SELECT 8, {COPY.removeprefix('seq, ')}, previous, hash "
        "FROM audit WHERE seq = 7",
    )
    assert (8, 8) in found(log.verify())


def test_L1_a_cut_off_end_is_found_by_a_checkpoint_only(log: Any) -> None:
    log.follow()
    end = log.end
    log.tamper(f"DELETE FROM audit WHERE seq > {end - 5}")
    assert found(log.verify()) == [(end - 4, None)]
    assert verify(entries(log.coordinator.store.read, 0, end), []).intact


def test_L1_an_emptied_log_is_found(log: Any) -> None:
    log.follow()
    log.tamper("DELETE FROM audit")
    assert found(log.verify()) == [(1, None)]


def test_L1_a_suffix_that_was_made_again_is_found_between_two_checkpoints(log: Any) -> None:
    log.follow()
    first = log.end
    for _ in range(2):
        log.grow(3)
        log.deployment.clock.turn(minutes=2)
        log.follow()
    rows = list(entries(log.coordinator.store.read, 0, log.end))
    statements = list(made_again(rows, first + 1, {"user_email": "innocent@example.com"}))
    log.tamper(*statements)
    assert verify(entries(log.coordinator.store.read, 0, log.end), []).intact, "the chain alone does not show it"
    report = log.verify()
    assert found(report) == [(first + 1, first + 3)]
    assert report.covered == first


def test_L1_another_log_with_the_same_numbers_is_found(log: Any, log_of: Callable[..., Any]) -> None:
    log.follow()
    other = log_of()
    other.grow(log.end - other.end)
    assert found(verify(entries(other.coordinator.store.read, 0, other.end), log.checkpoints())) == [(1, log.end)]


def test_rows_written_after_damage_are_judged_by_themselves(log: Any) -> None:
    log.tamper("UPDATE audit SET event = 'forged' WHERE seq = 7")
    log.grow(5)
    assert found(log.verify()) == [(7, 7)]


def test_L1_of_two_thousand_random_tamperings_all_are_found() -> None:
    rows = chain(40)
    checkpoints = [checkpoint(rows[seq - 1]) for seq in (10, 20, 30, 40)]
    assert verify(rows, checkpoints).intact
    dice = random.Random(4)
    for number in range(2000):
        forged = [dict(row) for row in rows]
        KINDS[number % len(KINDS)](forged, dice)
        assert not verify(forged, checkpoints).intact, KINDS[number % len(KINDS)].__name__


def chain(length: int) -> list[Entry]:
    rows: list[Entry] = []
    for seq in range(1, length + 1):
        facts = dict.fromkeys(FACTS, f"of {seq}")
        row = facts | {"seq": seq, "previous": rows[-1]["hash"] if rows else GENESIS}
        rows.append(row | {"hash": hash_of(row)})
    return rows


def checkpoint(row: Entry) -> Checkpoint:
    return Checkpoint(seq=row["seq"], head=row["hash"], rows=row["seq"], time="2026-11-21T12:00:00Z", key_id="0" * 16)


def edit(rows: list[Entry], dice: random.Random) -> None:
    dice.choice(rows)[dice.choice(FACTS)] = "forged"


def remove(rows: list[Entry], dice: random.Random) -> None:
    del rows[dice.randrange(len(rows))]


def swap(rows: list[Entry], dice: random.Random) -> None:
    first, second = dice.sample(range(len(rows)), 2)
    rows[first], rows[second] = rows[second], rows[first]


def double(rows: list[Entry], dice: random.Random) -> None:
    row = dice.choice(rows)
    rows.insert(dice.randrange(len(rows)), dict(row))


def cut(rows: list[Entry], dice: random.Random) -> None:
    del rows[dice.randrange(len(rows)) :]


def make_again(rows: list[Entry], dice: random.Random) -> None:
    start = dice.randrange(len(rows))
    rows[start]["event"] = "forged"
    rehash(rows, start)


def remove_and_make_again(rows: list[Entry], dice: random.Random) -> None:
    start = dice.randrange(len(rows))
    del rows[start]
    for number, row in enumerate(rows, 1):
        row["seq"] = number
    rehash(rows, start)


KINDS = (edit, remove, swap, double, cut, make_again, remove_and_make_again)


def rehash(rows: list[Entry], start: int) -> None:
    for number in range(start, len(rows)):
        rows[number]["previous"] = rows[number - 1]["hash"] if number else GENESIS
        rows[number]["hash"] = hash_of(rows[number])


def made_again(rows: list[Entry], seq: int, changes: dict[str, str]) -> Any:
    """Yield the statements of somebody who edits a row and knows how hashes are made."""
    rows[seq - 1] |= changes
    rehash(rows, seq - 1)
    for row in rows[seq - 1 :]:
        yield (
            f"UPDATE audit SET user_email = '{row['user_email']}', previous = '{row['previous']}', "
            f"hash = '{row['hash']}' WHERE seq = {row['seq']}"
        )


def one(log: Any, seq: int) -> Entry:
    return next(entries(log.coordinator.store.read, seq - 1, seq))
