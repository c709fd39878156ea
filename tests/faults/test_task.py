"""A transforming task and a coordinator that fails it: the rows of docs/faults.md, one test each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cape_airflow.jobs.outbox import waiting
from cape_airflow.keys.encoding import to_base64url
from tests.airflow.coordinator import POLICY
from tests.faults import proxy as faults
from tests.faults.conftest import Work
from tests.faults.proxy import Proxy, Server

OTHER = "version: 2\nrules:\n  - match: {name: email}\n    keep: {reason: all is shown}\ndefault: keep\n"
FETCH, KEY, COMMIT = "GET .*/policy$", "GET .*/material$", "GET .*/policies/"
AT_EVERY_QUESTION = pytest.mark.parametrize("question", [FETCH, KEY, COMMIT], ids=["policy", "key", "commit"])
BEFORE_AND_AFTER = pytest.mark.parametrize("question", [FETCH, COMMIT], ids=["policy", "commit"])


def _worth_a_retry(work: Work, proxy: Proxy, question: str, fault: faults.Fault) -> None:
    """The task ends in time, in the way that Airflow retries, and the retry succeeds when the fault is gone."""
    proxy.plan(question, fault)
    started = time.monotonic()
    assert "CoordinatorUnavailable" in work.fails(for_good=False)
    assert time.monotonic() - started < 8  # the deadline of a call is 1 s; those that are honest take their time, too
    proxy._plan.clear()
    assert work.run(try_number=2)["rows_out"] == 2
    assert work.job().state == "succeeded"


@AT_EVERY_QUESTION
def test_a_coordinator_that_is_down_is_worth_a_retry(work: Work, proxy: Proxy, question: str) -> None:
    _worth_a_retry(work, proxy, question, faults.down)


@BEFORE_AND_AFTER
def test_a_coordinator_that_says_nothing_is_worth_a_retry_at_the_deadline(
    work: Work, proxy: Proxy, question: str
) -> None:
    _worth_a_retry(work, proxy, question, faults.slow)


@BEFORE_AND_AFTER
def test_a_coordinator_that_drips_is_worth_a_retry_at_the_deadline(work: Work, proxy: Proxy, question: str) -> None:
    _worth_a_retry(work, proxy, question, faults.dripping)


@AT_EVERY_QUESTION
def test_a_connection_that_breaks_once_in_mid_body_is_not_noticed(work: Work, proxy: Proxy, question: str) -> None:
    proxy.plan(question, faults.reset_mid_body, times=1)
    assert work.run()["rows_out"] == 2
    assert work.job().attempts == 1


@BEFORE_AND_AFTER
def test_a_balancer_without_a_coordinator_is_worth_a_retry(work: Work, proxy: Proxy, question: str) -> None:
    _worth_a_retry(work, proxy, question, faults.unavailable)


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        (FETCH, faults.login_page),
        (FETCH, faults.truncated),
        (KEY, faults.truncated),
        (KEY, faults.not_a_number),
        (COMMIT, faults.login_page),
        (COMMIT, faults.not_a_number),
    ],
)
def test_an_answer_that_makes_no_sense_fails_for_good(
    work: Work, proxy: Proxy, question: str, fault: faults.Fault
) -> None:
    proxy.plan(question, fault)
    assert "CoordinatorProtocolError" in work.fails(for_good=True)


@pytest.mark.parametrize(
    ("question", "fault"), [(FETCH, faults.endless), (KEY, faults.gzip_bomb), (COMMIT, faults.endless)]
)
def test_an_answer_that_would_fill_the_memory_fails_for_good_and_is_not_read(
    work: Work, proxy: Proxy, question: str, fault: faults.Fault
) -> None:
    faults.bomb()  # made before, as it takes a while
    proxy.plan(question, fault)
    before = _peak_of_memory()
    assert "CoordinatorProtocolError" in work.fails(for_good=True)
    assert _peak_of_memory() - before < 60_000_000


def _peak_of_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@AT_EVERY_QUESTION
def test_a_redirect_fails_for_good_and_no_other_host_sees_the_token(work: Work, proxy: Proxy, question: str) -> None:
    elsewhere = Server(work.people.url)
    proxy.plan(question, faults.redirect_to(elsewhere.proxy.url))
    assert "Redirects are not followed" in work.fails(for_good=True)
    assert elsewhere.proxy.asked == []
    elsewhere.stop()


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [(FETCH, 401, "unauthenticated"), (KEY, 403, "forbidden"), (COMMIT, 401, "unauthenticated")],
)
def test_a_token_that_is_refused_fails_for_good_and_is_not_tried_again(
    work: Work, proxy: Proxy, question: str, status: int, code: str
) -> None:
    proxy.plan(question, faults.refusing(status, code))
    assert code in work.fails(for_good=True)
    assert len([asked for asked in proxy.asked if re.search(question, asked)]) == 1


LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another text": lambda answer: answer.update(policy=OTHER),
    "another digest": lambda answer: answer.update(digest="0" * 64),
    "an approval that was changed": lambda answer: answer["approval"].update(digest="0" * 64),
    "another signature": lambda answer: answer.update(signature=to_base64url(bytes(64))),
    "an unknown signer": lambda answer: answer["approval"].update(key_id="0" * 16),
}


@pytest.mark.parametrize(
    ("question", "lie"), [*((FETCH, lie) for lie in LIES), (COMMIT, "another text"), (COMMIT, "another signature")]
)
def test_a_policy_that_is_not_what_was_approved_fails_for_good(
    work: Work, proxy: Proxy, question: str, lie: str
) -> None:
    proxy.plan(question, faults.lying(LIES[lie]))
    assert "NotApproved" in work.fails(for_good=True)


def test_the_approved_policy_of_another_project_fails_for_good(work: Work, proxy: Proxy) -> None:
    other = work.people.new_project()
    work.people.approve(other, OTHER)
    proxy.plan(FETCH, lambda exchange: _as_if(exchange, f"/v1/projects/{other}/policy"))
    assert "its approval is for project `customers-" in work.fails(for_good=True)


def _as_if(exchange: faults.Exchange, path: str) -> None:
    exchange.path = path
    faults.honest(exchange)


def test_a_policy_that_was_approved_once_and_is_replayed_runs_only_where_no_digest_is_pinned(
    work: Work, proxy: Proxy
) -> None:
    newer = work.people.approve(work.project, POLICY.replace("XX", "YY"))
    proxy.plan("GET .*/(policy|policies/.*)$", lambda exchange: _as_if(exchange, _policy(work, work.digest)))
    assert "its approval is for digest" in work.fails(for_good=True, operator=work.operator(policy_digest=newer))
    result = work.run(try_number=2)
    assert result["policy_digest"] == work.digest == work.job().policy_digest  # so that it can be seen afterwards
    assert pq.read_schema(work.target).metadata[b"cape.policy_digest"].decode() == work.digest


def _policy(work: Work, digest: str) -> str:
    return f"/v1/projects/{work.project}/policies/{digest}"


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer["versions"].update({"1": "c2hvcnQ"}),
        lambda answer: answer["versions"].update({"1": 4711}),
        lambda answer: answer.update(primary=7),
        lambda answer: answer.update(primary=0),
    ],
    ids=["short", "no text", "no such version", "no number"],
)
def test_key_material_that_is_none_fails_for_good_and_is_not_shown(
    work: Work, proxy: Proxy, change: Callable[[dict[str, Any]], object]
) -> None:
    proxy.plan(KEY, faults.lying(change))
    shown = work.fails(for_good=True)
    assert "c2hvcnQ" not in shown
    assert "4711" not in shown
    assert work.job().state == "failed"


def test_another_job_in_place_of_ours_at_the_commit_fails_for_good(work: Work, proxy: Proxy) -> None:
    proxy.plan("GET .*/jobs/[0-9a-f]{32}$", faults.lying(lambda answer: answer.update(job_id="2" * 32)))
    assert "CoordinatorProtocolError" in work.fails(for_good=True)


def test_a_start_that_cannot_be_reported_is_kept_and_the_task_goes_on(
    work: Work, proxy: Proxy, own_outbox: Path
) -> None:
    proxy.plan("PUT .*/jobs/", faults.down)
    assert work.run()["rows_out"] == 2
    assert work.job() is None
    assert len(waiting(own_outbox)) == 2
    proxy._plan.clear()
    work.run(try_number=2)
    assert waiting(own_outbox) == []
    assert (work.job().state, work.job().attempts) == ("succeeded", 2)


def test_a_start_that_is_refused_fails_for_good(work: Work, proxy: Proxy) -> None:
    proxy.plan("PUT .*/jobs/", faults.refusing(409, "policy-not-approved"))
    assert "NotApproved" in work.fails(for_good=True)


def test_an_end_that_cannot_be_reported_is_kept_and_the_task_succeeds(
    work: Work, proxy: Proxy, own_outbox: Path
) -> None:
    proxy.plan("POST .*/finish$", faults.slow)
    assert work.run()["rows_out"] == 2
    assert work.job().state == "running"
    [report] = waiting(own_outbox)
    assert report.stat().st_mode & 0o077 == 0


def test_an_end_that_a_page_swallows_is_kept_too(work: Work, proxy: Proxy, own_outbox: Path) -> None:
    proxy.plan("POST .*/finish$", faults.login_page)
    work.run()
    assert len(waiting(own_outbox)) == 1


def test_where_reports_are_required_an_end_that_cannot_be_reported_fails_and_the_retry_changes_nothing(
    work: Work, proxy: Proxy
) -> None:
    operator = work.operator(fail_on_report=True)
    proxy.plan("POST .*/finish$", faults.down)
    with pytest.raises(Exception, match="could not be delivered"):
        operator.execute(work.context())
    written = work.target.read_bytes()  # it had appeared before its end could be told
    proxy._plan.clear()
    work.run(try_number=2, fail_on_report=True)
    assert work.target.read_bytes() == written
    assert work.job().state == "succeeded"


def test_a_target_that_cannot_be_written_is_worth_a_retry(work: Work, proxy: Proxy) -> None:
    operator = work.operator(target=str(work.source / "below-a-file.parquet"))
    assert "DatasetError" in work.fails(for_good=False, operator=operator)
    assert work.job().state == "failed"
