from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
import requests
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import BaseNotifier
from airflow.sdk.definitions.deadline import AsyncCallback

from cape_airflow.notifications.approval import CapeApprovalOverdueNotifier
from tests.airflow.coordinator import Outage, People
from tests.notifications.mailbox import Mailbox

pytestmark = pytest.mark.usefixtures("connected")


class HttpNotifier(BaseNotifier):
    """Posts a text, as the notifiers of chats do; it has no asynchronous form."""

    template_fields = ("text",)

    def __init__(self, url: str, text: str, context: Any = None) -> None:
        super().__init__(context)
        self.url, self.text = url, text

    def notify(self, context: Any) -> None:
        requests.post(self.url, json={"text": self.text}, timeout=10).raise_for_status()


class _Chat(BaseHTTPRequestHandler):
    said: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _serving(server: Any) -> Iterator[int]:
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def chat() -> Iterator[str]:
    _Chat.said.clear()
    for port in _serving(HTTPServer(("127.0.0.1", 0), _Chat)):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    mailbox = Mailbox()
    for _ in _serving(mailbox):
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(mailbox.connection()))
        yield mailbox


def _through_chat(url: str) -> dict[str, Any]:
    return {
        "through": f"{__name__}.HttpNotifier",
        "through_arguments": {"url": url, "text": "{{ dag_run }}: {{ cape_overdue.message }}"},
    }


def test_it_names_project_suggestions_since_when_and_where_they_are_reviewed(
    people: People, project: str, chat: str
) -> None:
    first, second = people.suggest(project), people.suggest(project)
    CapeApprovalOverdueNotifier(project=project, **_through_chat(chat))({"dag_run": "run-1"})
    (text,) = _Chat.said
    lines = text.splitlines()
    assert lines[0] == f"run-1: Waiting for an approval in project `{project}`:"
    for line, suggestion in zip(lines[1:], (first, second), strict=True):
        page = f"{people.url}/projects/{project}/suggestions/{suggestion.id}"
        assert re.fullmatch(rf"- {suggestion.id}, since \d{{4}}-\d\d-\d\dT\S+Z \(0 h 0 min\): {page}", line)


def test_in_the_triggerer_it_goes_through_a_notifier_that_only_blocks_too(
    people: People, project: str, chat: str
) -> None:
    suggestion = people.suggest(project)
    arguments = {"project": "{{ dag_run }}", "suggestion_id": suggestion.id, **_through_chat(chat)}
    callback = AsyncCallback(CapeApprovalOverdueNotifier, kwargs=json.loads(json.dumps(arguments)))

    async def run() -> None:
        await CapeApprovalOverdueNotifier(**callback.kwargs, context={"dag_run": project})

    asyncio.run(run())
    (text,) = _Chat.said
    assert suggestion.id in text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_it_goes_by_mail(people: People, project: str, mailbox: Mailbox, asynchronous: bool) -> None:
    suggestion = people.suggest(project)
    mail = SmtpNotifier(
        from_email="airflow@example.com",
        to="officer@example.com",
        subject="Overdue in {{ cape_overdue.project }}",
        html_content="{% for each in cape_overdue.waiting %}{{ each.suggestion_id }}: {{ each.url }}{% endfor %}",
    )
    notifier = CapeApprovalOverdueNotifier(project=project, through=mail)

    async def run() -> None:
        await notifier

    asyncio.run(run()) if asynchronous else notifier({})
    (sent,) = mailbox.mails
    assert f"Subject: Overdue in {project}" in sent
    assert "To: officer@example.com" in sent
    # Once more: templates were not rendered away.
    people.officer.reject(project, suggestion.id, suggestion.digest, "no")
    other = people.suggest(project)
    notifier({})
    assert other.id in mailbox.text_of(mailbox.mails[-1])
    assert suggestion.id not in mailbox.text_of(mailbox.mails[-1])


def test_without_another_notifier_it_goes_to_the_log(
    people: People, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    suggestion = people.suggest(project)
    CapeApprovalOverdueNotifier(project=project)({})
    assert f"/projects/{project}/suggestions/{suggestion.id}" in capsys.readouterr().out


@pytest.mark.parametrize("verdict", ["approve", "reject", "request_changes"])
def test_what_waits_no_more_for_a_reviewer_is_not_spoken_of(
    people: People, project: str, chat: str, verdict: str
) -> None:
    suggestion = people.suggest(project)
    getattr(people.officer, verdict)(project, suggestion.id, suggestion.digest, "seen")
    for more in ({}, {"suggestion_id": suggestion.id}):
        CapeApprovalOverdueNotifier(project=project, **more, **_through_chat(chat))({})
    assert _Chat.said == []


def test_of_one_suggestion_it_speaks_alone(people: People, project: str, chat: str) -> None:
    first, second = people.suggest(project), people.suggest(project)
    CapeApprovalOverdueNotifier(project=project, suggestion_id=second.id, **_through_chat(chat))({})
    (text,) = _Chat.said
    assert second.id in text
    assert first.id not in text


def test_an_outage_of_the_coordinator_is_said_and_silences_nobody(outage: Outage, chat: str) -> None:
    outage.begin()
    CapeApprovalOverdueNotifier(project=outage.project, **_through_chat(chat))({})
    (text,) = _Chat.said
    assert f"project `{outage.project}` may be overdue" in text
    assert "CoordinatorUnavailable" in text


def test_what_an_author_writes_is_not_passed_on(people: People, project: str, chat: str) -> None:
    policy = people.suggest(project).policy
    people.engineer.suggest(project, "<script>alert(1)</script>", policy, "{{ conn.cape_default.password }}")
    CapeApprovalOverdueNotifier(project=project, **_through_chat(chat))({})
    assert "script" not in _Chat.said[0]
    assert "conn" not in _Chat.said[0]


def test_a_notifier_that_fails_fails_loudly(people: People, project: str) -> None:
    people.suggest(project)
    with pytest.raises(requests.ConnectionError):
        CapeApprovalOverdueNotifier(project=project, **_through_chat("http://127.0.0.1:1/"))({})


def test_arguments_of_a_notifier_need_its_path() -> None:
    with pytest.raises(ValueError, match="dotted path"):
        CapeApprovalOverdueNotifier(project="pay", through_arguments={"text": "x"})
