from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cape_airflow.errors import (
    CapeError,
    CoordinatorProtocolError,
    CoordinatorRefused,
    CoordinatorUnavailable,
    NotApproved,
)
from cape_airflow.jobs import JobFinish, JobStart, JobState, Outbox, Progress
from cape_airflow.jobs.outbox import addressees, refused, waiting

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DOWN = CoordinatorUnavailable("PUT /v1/projects/crm/jobs/x: HTTP status 503 (try 3)")


class Coordinator:
    """Takes reports, or raises what `trouble` says."""

    def __init__(self, base_url: str = "https://cape.example", token_id: str = "01J") -> None:
        self.base_url = base_url
        self.token_id = token_id
        self.trouble: Exception | None = None
        self.took: list[tuple[str, str, str]] = []

    def start_job(self, project: str, start: JobStart) -> None:
        self._take(project, start.job_id, "start")

    def finish_job(self, project: str, job_id: str, finish: JobFinish) -> None:
        self._take(project, job_id, str(finish.state))

    def _take(self, *report: str) -> None:
        if self.trouble:
            raise self.trouble
        self.took.append(report)


def start(number: int = 1) -> JobStart:
    return JobStart(
        job_id=f"{number:032x}",
        policy_digest="0" * 64,
        engine="local",
        kernels="python",
        source="in.parquet",
        target="out.parquet",
        started_at=NOW,
    )


def finish() -> JobFinish:
    return JobFinish(state=JobState.SUCCEEDED, progress=Progress(rows_in=1), finished_at=NOW)


@pytest.fixture
def coordinator() -> Coordinator:
    return Coordinator()


@pytest.fixture
def outbox(tmp_path: Path, coordinator: Coordinator) -> Outbox:
    return Outbox(tmp_path, coordinator)


def test_a_report_that_arrives_leaves_no_file(outbox, coordinator, tmp_path):
    assert outbox.start_job("crm", start())
    assert outbox.finish_job("crm", f"{1:032x}", finish())
    assert coordinator.took == [("crm", f"{1:032x}", "start"), ("crm", f"{1:032x}", "succeeded")]
    assert not waiting(tmp_path)


@pytest.mark.parametrize(
    "trouble",
    [
        DOWN,
        CoordinatorRefused("expired", 401),
        CoordinatorRefused("no", 403, "forbidden"),
        CoordinatorRefused("no such project", 404, "not-found"),
        CoordinatorRefused("what is that", 409, "made-up"),
        CoordinatorRefused("a proxy's no", 400),
        CoordinatorProtocolError("a proxy's page"),
    ],
)
def test_a_report_that_cannot_be_delivered_now_is_kept(outbox, coordinator, tmp_path, trouble):
    coordinator.trouble = trouble
    assert not outbox.start_job("crm", start())
    delivery = outbox.flush()
    assert (delivery.delivered, delivery.waiting, delivery.trouble) == (0, 1, str(trouble))
    assert not refused(tmp_path)


def test_what_was_kept_is_delivered_in_order_with_the_next_report(outbox, coordinator):
    coordinator.trouble = DOWN
    for number in (3, 1, 2):
        outbox.start_job("crm", start(number))
        outbox.finish_job("crm", f"{number:032x}", finish())
    coordinator.trouble = None
    assert outbox.start_job("crm", start(9))
    assert [(int(job, 16), kind) for _, job, kind in coordinator.took] == [
        (9, "start"),
        *((number, kind) for number in (3, 1, 2) for kind in ("start", "succeeded")),
    ]


def test_order_survives_a_clock_that_goes_back(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    (first,) = waiting(tmp_path)
    first.rename(first.with_name(f"{2**63:020d}-{first.name.split('-')[1]}"))  # written by a clock far ahead
    outbox.finish_job("crm", f"{1:032x}", finish())
    coordinator.trouble = None
    outbox.flush()
    assert [kind for _, _, kind in coordinator.took] == ["start", "succeeded"]


def test_the_reports_of_a_job_arrive_in_order_when_the_coordinator_is_back_for_the_second(outbox, coordinator):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    coordinator.trouble = None
    assert outbox.finish_job("crm", f"{1:032x}", finish())
    assert [kind for _, _, kind in coordinator.took] == ["start", "succeeded"]


REFUSALS = [
    CoordinatorRefused("finished", 409, "job-finished"),
    CoordinatorRefused("bad", 422, "invalid"),
    CoordinatorRefused("a password", 422, "credentials"),
    NotApproved("n"),
]


@pytest.mark.parametrize("no", REFUSALS)
def test_a_report_that_is_refused_for_what_it_says_is_told_and_not_kept(outbox, coordinator, tmp_path, no):
    coordinator.trouble = no
    with pytest.raises(type(no)):
        outbox.start_job("crm", start())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("no", REFUSALS)
def test_a_kept_report_that_is_refused_later_is_put_aside_and_holds_up_nothing(outbox, coordinator, tmp_path, no):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start(1))
    coordinator.trouble = no
    delivery = outbox.flush()
    assert (delivery.delivered, delivery.waiting, delivery.refused) == (0, 0, (str(no),))
    assert len(refused(tmp_path)) == 1
    coordinator.trouble = None
    assert outbox.flush().delivered == 0
    assert outbox.start_job("crm", start(2))


def test_a_report_behind_kept_ones_that_is_refused_is_told(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    coordinator.trouble = REFUSALS[0]
    with pytest.raises(CoordinatorRefused, match="finished"):
        outbox.finish_job("crm", f"{1:032x}", finish())
    assert len(refused(tmp_path)) == 2


@pytest.mark.parametrize("status", [403, 404])
def test_a_project_that_cannot_be_had_keeps_its_reports_and_holds_up_no_other_job(outbox, coordinator, status):
    coordinator.trouble = DOWN
    for number, project in ((1, "closed"), (2, "crm")):
        outbox.start_job(project, start(number))
        outbox.finish_job(project, f"{number:032x}", finish())

    class Closed(Coordinator):
        def _take(self, project: str, *report: str) -> None:
            if project == "closed":
                raise CoordinatorRefused("no such project", status, "not-found")
            super()._take(project, *report)

    outbox._courier = closed = Closed()
    delivery = outbox.flush()
    assert (delivery.delivered, delivery.waiting, delivery.trouble) == (2, 2, "no such project")
    assert [project for project, _, _ in closed.took] == ["crm", "crm"]


def test_a_token_that_is_not_known_is_not_tried_for_every_report(outbox, coordinator):
    coordinator.trouble = DOWN
    for number in range(3):
        outbox.start_job("crm", start(number))
    asked = []

    class Unknown(Coordinator):
        def _take(self, *report: str) -> None:
            asked.append(report)
            raise CoordinatorRefused("not known", 401, "unauthenticated")

    outbox._courier = Unknown()
    assert outbox.flush().waiting == 3
    assert len(asked) == 1


def test_a_file_that_is_no_report_is_put_aside(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    (path,) = waiting(tmp_path)
    path.write_text("{")
    coordinator.trouble = None
    (reason,) = outbox.flush().refused
    assert "is not a report" in reason
    assert refused(tmp_path)[0].read_text() == "{"


def test_other_files_in_the_folder_are_left_alone(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    (path,) = waiting(tmp_path)
    others = [path.with_name(name) for name in ("1.json", "notes.json", f".{path.name}.0123", "0-x.json")]
    for other in others:
        other.write_text("not ours")
    coordinator.trouble = None
    assert outbox.flush().delivered == 1
    assert all(other.read_text() == "not ours" for other in others)


def test_reports_are_private_and_name_their_coordinator_but_hold_no_token(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    (path,) = waiting(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    report = json.loads(path.read_text())
    assert set(report) == {"coordinator", "token_id", "project", "job_id", "start", "finish"}
    assert (report["coordinator"], report["token_id"]) == (coordinator.base_url, "01J")


@pytest.mark.parametrize("other", [Coordinator("https://other.example"), Coordinator(token_id="01K")])
def test_reports_go_to_their_own_coordinator_under_their_own_token_only(outbox, coordinator, tmp_path, other):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    delivery = Outbox(tmp_path, other).flush()
    assert (delivery.delivered, delivery.waiting) == (0, 0)
    assert delivery.elsewhere == {"https://cape.example with token 01J": 1}
    assert Outbox(tmp_path, other).start_job("crm", start(2))
    assert len(waiting(tmp_path)) == 1


def test_reports_of_an_expired_token_can_be_delivered_with_another(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    other = Coordinator(token_id="01K")
    assert Outbox(tmp_path, other, "01J").flush().delivered == 1
    assert len(other.took) == 1


def test_a_file_that_is_no_report_waits_for_nobody_known(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    (path,) = waiting(tmp_path)
    path.write_text("{")
    assert addressees([path]) == {f"nobody known, in {path.parent}": 1}


@pytest.fixture
def unwritable(tmp_path):
    (tmp_path / "file").write_text("")
    return tmp_path / "file"


def test_a_folder_that_cannot_be_written_stops_nothing_while_the_coordinator_is_there(unwritable, coordinator):
    outbox = Outbox(unwritable, coordinator)
    assert outbox.start_job("crm", start())
    assert outbox.finish_job("crm", f"{1:032x}", finish())
    assert [kind for _, _, kind in coordinator.took] == ["start", "succeeded"]


def test_a_report_that_neither_arrives_nor_can_be_kept_is_told_with_both_reasons(unwritable, coordinator):
    coordinator.trouble = DOWN
    with pytest.raises(CoordinatorUnavailable, match=r"HTTP status 503 .* is not kept: cannot write"):
        Outbox(unwritable, coordinator).start_job("crm", start())


def test_a_folder_that_cannot_be_looked_into_is_told_before_a_report_overtakes_what_may_wait_there(
    coordinator, tmp_path
):
    loop = tmp_path / "outbox"
    loop.symlink_to(loop)  # root may read all that others may not
    with pytest.raises(CapeError, match=r"cannot look into the outbox .*outbox: Too many levels .*name another one"):
        Outbox(loop, coordinator).start_job("crm", start())
    assert coordinator.took == []


def test_a_kept_report_that_cannot_be_put_aside_stops_the_delivery_and_not_the_report(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start(1))
    (path,) = waiting(tmp_path)
    path.write_text("{")
    (path.parent / "refused").write_text("a file is in the way")
    coordinator.trouble = None
    assert outbox.start_job("crm", start(2))
    assert "cannot use the outbox" in outbox.flush().trouble


def test_why_a_report_is_kept_is_logged(outbox, coordinator, caplog):
    coordinator.trouble = CoordinatorRefused("there is no such project", 404, "not-found")
    outbox.start_job("crm", start())
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "kept for later: there is no such project" in record.message


def test_a_report_that_another_is_delivering_is_not_sent_twice(outbox, coordinator, tmp_path):
    inside, go_on = threading.Event(), threading.Event()

    class Slow(Coordinator):
        def _take(self, *report: str) -> None:
            inside.set()
            assert go_on.wait(10)
            super()._take(*report)

    coordinator.trouble = DOWN
    outbox.start_job("crm", start())
    coordinator.trouble = None
    slow = Slow()
    first = threading.Thread(target=Outbox(tmp_path, slow).flush)
    first.start()
    assert inside.wait(10)
    assert not outbox.finish_job("crm", f"{1:032x}", finish())  # its start is on its way: the end waits behind it
    assert outbox.start_job("crm", start(2))  # other jobs do not wait
    go_on.set()
    first.join(10)
    assert [kind for _, _, kind in slow.took] == ["start", "succeeded"]  # whoever held the start brought the end too
    assert not waiting(tmp_path)


CHILD = """
import os, sys
from pathlib import Path
from cape_airflow.jobs import Outbox

class Courier:
    base_url = "https://cape.example"
    token_id = "01J"
    def start_job(self, project, start):
        self.take(start.job_id, "start")
    def finish_job(self, project, job_id, finish):
        self.take(job_id, "succeeded")
    def take(self, *report):
        if sys.argv[2] == "die":
            os._exit(9)
        with open(sys.argv[2], "a") as file:
            file.write(" ".join(report) + "\\n")

print("ready", flush=True)
sys.stdin.readline()
Outbox(Path(sys.argv[1]), Courier()).flush()
"""


def _child(*arguments: Path | str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_many_processes_deliver_each_report_once_and_each_job_in_order(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    for number in range(40):
        outbox.start_job("crm", start(number))
        outbox.finish_job("crm", f"{number:032x}", finish())
    log = tmp_path / "log"
    children = [_child(tmp_path, log) for _ in range(4)]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    reports = log.read_text().splitlines()
    assert set(Counter(reports).values()) == {1}
    assert len(reports) == 80
    for number in range(40):
        job = [line.split()[1] for line in reports if f"{number:032x}" in line]
        assert job == ["start", "succeeded"]
    assert not waiting(tmp_path)


def test_a_lock_dies_with_its_process(outbox, coordinator, tmp_path):
    coordinator.trouble = DOWN
    outbox.start_job("crm", start())

    child = _child(tmp_path, "die")
    child.communicate("\n", timeout=60)
    assert child.returncode == 9
    coordinator.trouble = None
    assert outbox.flush().delivered == 1
