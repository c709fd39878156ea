"""The client against the real coordinator, over real HTTP: every operation, and answers that get lost on the way."""

from __future__ import annotations

import asyncio
import http.client
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cape_airflow.client import AsyncCoordinatorClient, CoordinatorClient, CoordinatorKeys, Disclosure, Project
from cape_airflow.client.address import path_of
from cape_airflow.client.protocol import Request, json_of
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import CoordinatorRefused, KeyUnavailable, NotApproved
from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart, JobState, Outbox, Progress
from cape_airflow.keys import KeyRing

POLICY = "label: customers\nversion: 2\nrules:\n  - match: {name: email}\n    actions: [drop]\n"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A running coordinator: its URL and the first admin's token."""
    settings = Settings(home=tmp_path_factory.mktemp("coordinator"), failures_per_minute=1000)
    token = initialise(settings, "admin@example.org", "Admin")
    config = uvicorn.Config(create_app(settings), port=0, log_level="error", ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", token
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def admin(service: tuple[str, str]) -> Iterator[CoordinatorClient]:
    with CoordinatorClient(*service) as client:
        yield client


class Team:
    """A project of its own with an author, an officer and a worker."""

    def __init__(self, url: str, admin: CoordinatorClient) -> None:
        self.project = f"p{next(_numbers)}"
        self.emails = {}
        admin.create_project(self.project.upper(), self.project)
        roles = {"author": "project-contributor", "officer": "project-owner", "worker": "worker"}
        self.clients = {}
        for name, role in roles.items():
            self.emails[name] = f"{name}.{self.project}@example.org"
            admin.create_user(self.emails[name], name)
            admin.set_contributor(self.project, self.emails[name], role)
            self.clients[name] = CoordinatorClient(url, admin.create_token("test", self.emails[name]).token)
        self.author, self.officer, self.worker = self.clients.values()

    def approved(self) -> str:
        """Have a policy approved; return its digest."""
        suggestion = self.author.suggest(self.project, "First", POLICY)
        self.officer.approve(self.project, suggestion.id, suggestion.digest)
        return suggestion.digest


@pytest.fixture
def team(service: tuple[str, str], admin: CoordinatorClient) -> Iterator[Team]:
    team = Team(service[0], admin)
    yield team
    for client in team.clients.values():
        client.close()


def _start(digest: str) -> JobStart:
    return JobStart(
        job_id=f"{next(_numbers):032x}",
        policy_digest=digest,
        engine="local",
        kernels="python",
        source="in.csv",
        target="out.parquet",
        started_at=NOW,
        origin={"dag_id": "d"},
    )


def _finish() -> JobFinish:
    columns = (ColumnCounts(name="email", techniques=("suppress-attribute",), decision="dropped", values=3),)
    progress = Progress(rows_in=3, rows_out=3, seconds=0.5)
    return JobFinish(state=JobState.SUCCEEDED, progress=progress, columns=columns, finished_at=NOW)


def test_who_one_is_and_what_is_asked(admin, team):
    assert admin.me().role == "admin"
    assert [(member.label, member.role) for member in team.worker.me().projects] == [(team.project, "worker")]
    assert admin.version().version
    assert len(admin.signing_keys()) == 1


def test_projects_are_made_shown_changed_and_listed(admin, team):
    assert admin.project(team.project).status == "pending"
    changed = team.officer.update_project(team.project, description="all of them")
    assert (changed.name, changed.description) == (team.project.upper(), "all of them")
    assert [project.label for project in team.author.projects()] == [team.project]
    assert team.project in {project.label for project in admin.projects()}


def test_contributors_come_and_go(admin, team):
    team.officer.set_contributor(team.project, team.emails["author"], "project-reader")
    roles = {member.email: member.role for member in team.officer.contributors(team.project)}
    assert roles[team.emails["author"]] == "project-reader"
    team.officer.remove_contributor(team.project, team.emails["author"])
    assert team.emails["author"] not in {member.email for member in team.officer.contributors(team.project)}
    assert team.emails["author"] in {user.email for user in admin.users()}


def test_a_revoked_token_is_worth_nothing(service, admin):
    made = admin.create_token("short-lived", expires_in_days=1)
    with CoordinatorClient(service[0], made.token) as client:
        assert client.me().email == "admin@example.org"
        admin.revoke_token(made.id)
        with pytest.raises(CoordinatorRefused) as caught:
            client.me()
    assert caught.value.status == 401
    assert next(token for token in admin.tokens() if token.id == made.id).revoked_at is not None


def test_a_policy_is_suggested_discussed_approved_and_fetched(team):
    with pytest.raises(NotApproved, match="no approved policy"):
        team.worker.policy(team.project)
    suggestion = team.author.suggest(team.project, "First", POLICY, "drops what names people")
    team.officer.comment(team.project, suggestion.id, "good")
    team.officer.approve(team.project, suggestion.id, suggestion.digest, "fine")
    seen = team.author.suggestion(team.project, suggestion.id)
    assert (seen.state, seen.reviewed_by, seen.review_comment) == ("approved", team.emails["officer"], "fine")
    assert [comment.text for comment in seen.comments] == ["good"]
    assert [each.id for each in team.author.suggestions(team.project)] == [suggestion.id]
    approved = team.worker.policy(team.project)
    assert (approved.text, approved.digest) == (POLICY, suggestion.digest)
    assert approved.approval.suggestion_id == suggestion.id
    assert team.worker.policy(team.project) == approved == team.worker.policy(team.project, suggestion.digest)
    assert team.officer.project(team.project).policy_digest == suggestion.digest


def test_a_digest_that_was_never_approved_is_not_approved(team):
    team.approved()
    with pytest.raises(NotApproved):
        team.worker.policy(team.project, "0" * 64)


def test_the_author_cannot_approve_and_a_rejection_says_why(team):
    suggestion = team.officer.suggest(team.project, "First", POLICY)
    with pytest.raises(CoordinatorRefused) as caught:
        team.officer.approve(team.project, suggestion.id, suggestion.digest)
    assert (caught.value.status, caught.value.code) == (403, "own-suggestion")
    other = team.author.suggest(team.project, "Second", POLICY)
    rejected = team.officer.reject(team.project, other.id, other.digest, "keeps too much")
    assert (rejected.state, rejected.review_comment) == ("rejected", "keeps too much")


def test_another_digest_than_the_one_shown_is_not_approved(team):
    suggestion = team.author.suggest(team.project, "First", POLICY)
    with pytest.raises(CoordinatorRefused) as caught:
        team.officer.approve(team.project, suggestion.id, "0" * 64)
    assert (caught.value.status, caught.value.code) == (409, "digest-mismatch")


def test_keys_are_made_rotated_and_fetched_by_workers_only(admin, team):
    assert team.officer.create_key(team.project, "customer-id", 64).primary == 1
    assert team.officer.rotate_key(team.project, "customer-id").primary == 2
    assert [key.name for key in team.author.keys(team.project)] == ["customer-id"]
    key = KeyRing(CoordinatorKeys(team.worker, team.project)).get("customer-id")
    assert (key.primary, sorted(key.versions)) == (2, [1, 2])
    assert {len(secret.reveal()) for secret in key.versions.values()} == {64}
    assert CoordinatorKeys(team.worker, team.project).get("other") is None
    with pytest.raises(CoordinatorRefused) as caught:
        team.officer.key_material(team.project, "customer-id")
    assert caught.value.status == 403


def test_versions_of_a_key_are_retired_and_destroyed_and_the_worker_is_told(team):
    team.officer.create_key(team.project, "id", 64, rotate_after_days=1)
    team.officer.rotate_key(team.project, "id")
    assert [row.state for row in team.officer.retire_key(team.project, "id", 1).versions] == ["retired", "enabled"]
    assert sorted(team.worker.key_material(team.project, "id").versions) == [2]
    (gone, _) = team.officer.destroy_key(team.project, "id", 1, "id").versions
    assert (gone.state, len(gone.receipt)) == ("destroyed", 64)
    key = CoordinatorKeys(team.worker, team.project).get("id")
    with pytest.raises(KeyUnavailable, match="version 1 of key `id` was destroyed"):
        key.version(1)


def test_the_period_of_a_key_is_set_and_taken_back(team):
    team.officer.create_key(team.project, "id", rotate_after_days=1)
    (key,) = team.author.keys(team.project)
    assert key.rotation_due_at - key.versions[0].created_at == timedelta(days=1)
    assert team.officer.set_key_rotation(team.project, "id", None).rotation_due_at is None


def test_a_worker_reveals_where_an_owner_lets_him_and_no_longer_than_that(team):
    team.officer.create_key(team.project, "id", 64)
    keys = CoordinatorKeys(team.worker, team.project, Disclosure("a complaint", 10))
    assert team.officer.set_reveal(team.project, team.emails["worker"], True).may_reveal
    assert keys.get("id").may_reveal
    assert not CoordinatorKeys(team.worker, team.project).get("id").may_reveal
    assert not team.officer.set_reveal(team.project, team.emails["worker"], False).may_reveal
    with pytest.raises(KeyUnavailable, match="may-not-reveal"):
        keys.get("id")


def test_a_job_is_started_beats_and_ends(team):
    start = _start(team.approved())
    team.worker.start_job(team.project, start)
    team.worker.heartbeat(team.project, start.job_id, Progress(rows_in=2))
    assert team.author.job(team.project, start.job_id).progress.rows_in == 2
    team.worker.finish_job(team.project, start.job_id, _finish())
    team.worker.finish_job(team.project, start.job_id, _finish())
    (job,) = team.author.jobs(team.project)
    assert (job.state, job.attempts, job.columns, job.origin) == (
        JobState.SUCCEEDED,
        1,
        _finish().columns,
        {"dag_id": "d"},
    )


def test_a_job_under_a_policy_that_is_not_approved_is_not_started(team):
    team.approved()
    with pytest.raises(NotApproved):
        team.worker.start_job(team.project, _start("1" * 64))


def test_the_outbox_delivers_to_the_coordinator(team, tmp_path):
    start = _start(team.approved())
    outbox = Outbox(tmp_path, team.worker)
    assert outbox.start_job(team.project, start)
    assert outbox.finish_job(team.project, start.job_id, _finish())
    assert team.author.job(team.project, start.job_id).state == JobState.SUCCEEDED


def test_the_audit_log_names_what_was_done(admin, team):
    team.approved()
    events = admin.audit(limit=5)
    assert len(events) == 5
    assert [event.seq for event in events] == sorted((event.seq for event in events), reverse=True)
    assert team.emails["officer"] in {event.user_email for event in events}


def test_lists_of_many_pages_are_whole(team):
    ids = [team.author.suggest(team.project, f"Number {number}", POLICY).id for number in range(201)]
    listed = [suggestion.id for suggestion in team.author.suggestions(team.project)]
    assert sorted(listed) == sorted(ids)
    assert [suggestion.id for suggestion in team.author.suggestions(team.project, limit=3)] == listed[:3]


def test_the_asynchronous_client_says_the_same(service, team):
    digest = team.approved()

    async def ask() -> tuple[Any, ...]:
        async with AsyncCoordinatorClient(service[0], team.author._token) as client:
            question = Request("GET", path_of("projects", team.project), json_of(Project))
            return await asyncio.gather(client.me(), client.call(question))

    me, project = asyncio.run(ask())
    assert (me.email, project.policy_digest) == (team.emails["author"], digest)


class _Losing(socketserver.BaseRequestHandler):
    """Passes a request on, and loses the answer to every first try."""

    server: Any

    def handle(self) -> None:
        request = _read_message(self.request)
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=10)
        upstream.connect()
        assert upstream.sock is not None
        upstream.sock.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
        answer = b""
        while chunk := upstream.sock.recv(65536):
            answer += chunk
        upstream.close()
        if request not in self.server.seen:
            self.server.seen.add(request)
            return  # committed, and nobody hears of it
        self.request.sendall(answer)


def _read_message(connection: Any) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def losing(service: tuple[str, str]) -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Losing) as server:
        server.daemon_threads = True
        server.upstream, server.seen = int(service[0].rsplit(":", 1)[1]), set()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_what_was_committed_before_its_answer_got_lost_happens_once(service, team, losing, tmp_path: Path):
    with CoordinatorClient(losing, team.author._token, sleep=lambda _: None) as client:
        for number in range(20):
            client.suggest(team.project, f"Number {number}", POLICY)
    titles = [suggestion.title for suggestion in team.author.suggestions(team.project)]
    assert sorted(titles) == sorted(f"Number {number}" for number in range(20))


def test_an_approval_whose_answer_got_lost_is_an_approval(team, losing):
    suggestion = team.author.suggest(team.project, "First", POLICY)
    with CoordinatorClient(losing, team.officer._token, sleep=lambda _: None) as client:
        assert client.approve(team.project, suggestion.id, suggestion.digest).state == "approved"


def test_a_job_whose_answers_got_lost_is_one_attempt(team, losing):
    start = _start(team.approved())
    with CoordinatorClient(losing, team.worker._token, sleep=lambda _: None) as client:
        client.start_job(team.project, start)
        client.finish_job(team.project, start.job_id, _finish())
    job = team.author.job(team.project, start.job_id)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
