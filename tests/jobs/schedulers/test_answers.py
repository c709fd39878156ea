"""Schedulers that are not on this machine: the shapes that their documentation gives, and answers that nobody wants."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cape_airflow.errors import CapeError
from cape_airflow.jobs.schedulers import ExternalState, JobMissing, Scheduler, SchedulerError, SchedulerUnavailable
from cape_airflow.jobs.schedulers.airflow import Airflow
from cape_airflow.jobs.schedulers.kubernetes import Kubernetes
from cape_airflow.jobs.schedulers.mesos import Mesos
from cape_airflow.jobs.schedulers.rest import Credentials, Rest
from cape_airflow.jobs.schedulers.spark_history import SparkHistory
from cape_airflow.jobs.schedulers.spark_master import SparkMaster
from cape_airflow.jobs.schedulers.yarn import Yarn
from cape_airflow.keys import Secret

CANARY = "canary-4711"
STARTED, FINISHED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC), datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
MILLIS, LATER = int(STARTED.timestamp() * 1000), int(FINISHED.timestamp() * 1000)
LISTS = {
    Airflow: "GET /api/v2/dags/~/dagRuns",
    Kubernetes: "GET /apis/sparkoperator.k8s.io/v1beta2/sparkapplications",
    Mesos: "GET /state",
    SparkHistory: "GET /api/v1/applications",
    SparkMaster: "GET /json/",
    Yarn: "GET /ws/v1/cluster/apps",
}
YARN_APP = {
    "id": "application_1795262400000_0001",
    "name": "nightly",
    "user": "ada",
    "queue": "root.payroll",
    "state": "RUNNING",
    "finalStatus": "UNDEFINED",
    "progress": 41.5,
    "trackingUrl": f"https://ada:{CANARY}@rm.example.com:8088/proxy/application_1795262400000_0001/?token={CANARY}",
    "applicationType": "SPARK",
    "applicationTags": "cape,nightly",
    "startedTime": MILLIS,
    "finishedTime": 0,
}
K8S_APP = {
    "metadata": {
        "name": "pi",
        "namespace": "jobs",
        "labels": {"team": "risk"},
        "creationTimestamp": "2026-11-21T11:59:00Z",
    },
    "spec": {"type": "Scala", "proxyUser": "ada"},
    "status": {
        "sparkApplicationId": "spark-2a7e",
        "applicationState": {"state": "RUNNING"},
        "lastSubmissionAttemptTime": "2026-11-21T12:00:00Z",
        "terminationTime": None,
        "executorState": {"pi-exec-1": "RUNNING", "pi-exec-2": "COMPLETED"},
    },
}


def password(secret: str = CANARY) -> Credentials:
    return Credentials("ada", password=lambda: Secret(secret.encode()))


def token(secret: str = CANARY) -> Credentials:
    return Credentials(token=lambda: Secret(secret.encode()))


def test_yarn_lists_running_and_ended_applications_by_two_questions(told: Any) -> None:
    ended = {"state": "FINISHED", "finalStatus": "FAILED", "finishedTime": LATER, "id": "application_1_2"}
    other = {"applicationType": "MAPREDUCE", "id": "application_1_3", "state": "KILLED", "finishedTime": LATER}

    def answer(query: dict[str, str]) -> Any:
        apps = [YARN_APP] if "RUNNING" in query["states"] else [YARN_APP | ended, YARN_APP | other]
        return 200, {}, json.dumps({"apps": {"app": apps}}).encode()

    told.answers[LISTS[Yarn]] = answer
    yarn = Yarn(Rest("rm", told.url, Credentials("cape")))
    jobs = {job.id: job for job in yarn.list_jobs(since=STARTED, user="ada", tags=("cape",))}
    running, failed, killed = (jobs[name] for name in (YARN_APP["id"], "application_1_2", "application_1_3"))
    assert (running.state, running.progress.percent, running.queue) == (ExternalState.RUNNING, 41.5, "root.payroll")
    assert (running.started, running.finished, running.tags) == (STARTED, None, ("cape", "nightly"))
    assert running.tracking_url == "https://rm.example.com:8088/proxy/application_1795262400000_0001/"
    assert (failed.state, failed.word, failed.finished) == (ExternalState.FAILED, "FINISHED/FAILED", FINISHED)
    assert (killed.state, killed.spark, running.spark) == (ExternalState.CANCELLED, False, True)
    assert [query for _, query, *_ in told.asked] == [
        "states=NEW%2CNEW_SAVING%2CSUBMITTED%2CACCEPTED%2CRUNNING&user.name=cape",
        f"states=FINISHED%2CFAILED%2CKILLED&finishedTimeBegin={MILLIS}&user.name=cape",
    ]
    assert yarn.list_jobs(tags=("cape", "absent")) == ()
    assert CANARY not in repr(jobs)


def test_yarn_without_applications_answers_null(told: Any) -> None:
    told.tell(LISTS[Yarn], {"apps": None})
    assert Yarn(Rest("rm", told.url)).list_jobs() == ()


def test_yarn_is_asked_to_kill_by_a_state(told: Any) -> None:
    told.tell("PUT /ws/v1/cluster/apps/application_1_2/state", {"state": "KILLED"}, 202)
    Yarn(Rest("rm", told.url)).cancel("application_1_2")
    assert json.loads(told.asked[-1][3]) == {"state": "KILLED"}


def test_kubernetes_lists_all_pages_with_the_token_of_the_account(told: Any) -> None:
    second = {"metadata": {"name": "new", "namespace": "jobs"}}

    def answer(query: dict[str, str]) -> Any:
        last = query.get("continue") == "more"
        page = {"items": [second if last else K8S_APP], "metadata": {"continue": "" if last else "more"}}
        return 200, {}, json.dumps(page).encode()

    told.answers["GET /apis/sparkoperator.k8s.io/v1beta2/namespaces/jobs/sparkapplications"] = answer
    new, running = Kubernetes(Rest("k8s", told.url, token()), "jobs").list_jobs()
    assert (new.id, new.state, new.word, new.application_id) == ("jobs/new", ExternalState.WAITING, "NEW", None)
    assert (running.id, running.state, running.application_id) == ("jobs/pi", ExternalState.RUNNING, "spark-2a7e")
    assert (running.user, running.queue, running.tags) == ("ada", "jobs", ("team=risk",))
    assert (running.started, running.progress.executors) == (STARTED, 1)
    assert {headers["Authorization"] for *_, headers, _ in told.asked} == {f"Bearer {CANARY}"}


def test_kubernetes_deletes_what_is_to_be_cancelled(told: Any) -> None:
    told.tell("DELETE /apis/sparkoperator.k8s.io/v1beta2/namespaces/jobs/sparkapplications/pi", {"status": "Success"})
    kubernetes = Kubernetes(Rest("k8s", told.url))
    kubernetes.cancel("jobs/pi")
    with pytest.raises(JobMissing):
        kubernetes.cancel("jobs/other")
    with pytest.raises(JobMissing, match="namespace/name"):
        kubernetes.get("pi")


def test_a_list_whose_pages_never_end_is_refused(told: Any) -> None:
    told.tell(LISTS[Kubernetes], {"items": [], "metadata": {"continue": "again"}})
    with pytest.raises(SchedulerError, match="does not end"):
        Kubernetes(Rest("k8s", told.url)).list_jobs()


def test_mesos_lists_frameworks_and_tears_one_down(told: Any) -> None:
    framework = {"id": "a-0001", "name": "nightly", "user": "ada", "role": "etl", "registered_time": MILLIS / 1000}
    ended = framework | {"id": "a-0000", "unregistered_time": LATER / 1000}
    told.tell(LISTS[Mesos], {"frameworks": [framework | {"active": True}], "completed_frameworks": [ended]})
    told.tell("POST /teardown", b"")
    mesos = Mesos(Rest("mesos", told.url, password()))
    jobs = {job.id: job for job in mesos.list_jobs()}
    assert (jobs["a-0001"].state, jobs["a-0001"].queue) == (ExternalState.RUNNING, "etl")
    assert (jobs["a-0000"].state, jobs["a-0000"].finished) == (ExternalState.ENDED, FINISHED)
    mesos.cancel("a-0001")
    assert (told.asked[-1][0], told.asked[-1][3]) == ("POST /teardown", b"frameworkId=a-0001")
    expected = "Basic " + b64encode(f"ada:{CANARY}".encode()).decode()
    assert {headers["Authorization"] for *_, headers, _ in told.asked} == {expected}
    with pytest.raises(JobMissing):
        mesos.get("a-0002")


def test_airflow_is_asked_with_a_jwt_that_the_password_gives(told: Any) -> None:
    told.tell("POST /auth/token", {"access_token": "abc.def.ghi"}, 201)
    run = {
        "dag_id": "payroll",
        "dag_run_id": "manual__2026-11-21",
        "state": "running",
        "start_date": "2026-11-21T12:00:00Z",
        "end_date": None,
        "run_type": "manual",
        "triggering_user_name": "ada",
    }
    told.tell(LISTS[Airflow], {"dag_runs": [run], "total_entries": 1})
    told.tell("PATCH /api/v2/dags/payroll/dagRuns/manual__2026-11-21", run | {"state": "failed"})
    airflow = Airflow(Rest("airflow", told.url, password()))
    (job,) = airflow.list_jobs(since=STARTED)
    assert (job.id, job.state, job.user) == ("payroll/manual__2026-11-21", ExternalState.RUNNING, "ada")
    assert (job.spark, job.application_id, job.started) == (False, None, STARTED)
    airflow.cancel(job.id)
    call, _, headers, body = told.asked[-1]
    assert call.startswith("PATCH")
    assert json.loads(body) == {"state": "failed"}
    assert headers["Authorization"] == "Bearer abc.def.ghi"
    assert all(CANARY not in query for _, query, *_ in told.asked)


@pytest.mark.parametrize("adapter", LISTS, ids=lambda adapter: adapter.__name__)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>" + CANARY.encode(), "did not answer with JSON"),
        (b"", "did not answer with JSON"),
        (b"[" * 60_000, "did not answer with JSON"),
        (b'"' + CANARY.encode() + b'"', "makes no sense"),
        (b"12", "makes no sense"),
        (b"{}", "makes no sense"),
        (b'{"apps": 1, "items": 1, "frameworks": 1, "dag_runs": 1, "activeapps": 1}', "makes no sense"),
        (b'[{"id": 1, "canary-4711": 2}]', "makes no sense"),
        (b" " * 70_000, "more than 65536 bytes"),
    ],
    ids=("html", "empty", "deep", "text", "number", "nothing", "other types", "other list", "huge"),
)
def test_B4_an_answer_that_makes_no_sense_is_refused_and_not_shown(
    adapter: type[Scheduler], body: bytes, said: str, told: Any
) -> None:
    told.tell(LISTS[adapter], body)
    with pytest.raises(SchedulerError, match=said) as caught:
        adapter(Rest("far", told.url, max_bytes=65_536)).list_jobs()
    assert CANARY not in str(caught.value)
    assert not isinstance(caught.value, SchedulerUnavailable)


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_B3_a_passing_failure_is_told_as_unreachable(status: int, told: Any) -> None:
    told.tell(LISTS[Mesos], {}, status)
    with pytest.raises(SchedulerUnavailable, match=f"far is unreachable at {told.url}: HTTP {status}"):
        Mesos(Rest("far", told.url)).list_jobs()


@pytest.mark.parametrize(("status", "said"), [(401, "credentials"), (403, "credentials"), (302, "redirects are not")])
def test_B3_a_no_is_told_as_one_without_the_secret(status: int, said: str, told: Any) -> None:
    told.tell(LISTS[Mesos], {}, status, Location=f"{told.url}/elsewhere")
    rest = Rest("far", told.url, password())
    with pytest.raises(SchedulerError, match=said) as caught:
        Mesos(rest).list_jobs()
    assert len(told.asked) == 1
    assert CANARY not in str(caught.value) + repr(rest)


def test_a_compressed_answer_is_refused(told: Any) -> None:
    told.tell(LISTS[Mesos], b"\x1f\x8b", Content_Encoding="gzip")
    with pytest.raises(SchedulerError, match="compressed"):
        Mesos(Rest("far", told.url)).list_jobs()


def test_nobody_there_is_told_as_unreachable(free_port: int) -> None:
    with pytest.raises(SchedulerUnavailable, match="unreachable"):
        Mesos(Rest("far", f"http://127.0.0.1:{free_port}")).list_jobs()


def test_B2_a_server_that_sends_a_byte_now_and_then_is_given_up_at_the_deadline() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    before = datetime.now(UTC)

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0.05)
            while True:  # until the other side has gone
                try:
                    connection.sendall(b"H")
                    if not connection.recv(4096):
                        return
                except TimeoutError:
                    continue
                except OSError:
                    return

    thread = Thread(target=drip)
    thread.start()
    rest = Rest("far", f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=0.5)
    with listener, pytest.raises(SchedulerUnavailable):
        Mesos(rest).list_jobs()
    thread.join()
    assert (datetime.now(UTC) - before).total_seconds() < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(field=st.sampled_from(sorted(YARN_APP)), value=JSON)
def test_any_value_in_any_field_gives_a_job_or_a_clear_error(field: str, value: Any, told: Any) -> None:
    told.tell(LISTS[Yarn], {"apps": {"app": [YARN_APP | {field: value}]}})
    try:
        jobs = Yarn(Rest("rm", told.url)).list_jobs()
    except CapeError:
        return
    for job in jobs:
        assert all(character.isprintable() for character in f"{job.name}{job.user}{job.word}")
        assert "?" not in (job.tracking_url or "")
        assert "@" not in (job.tracking_url or "").partition("//")[2].partition("/")[0]
