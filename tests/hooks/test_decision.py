from __future__ import annotations

import json
from typing import Any

import pytest

from cape_airflow.client import CoordinatorClient
from cape_airflow.client.protocol import Answer, read
from cape_airflow.errors import CoordinatorError, CoordinatorProtocolError, CoordinatorRefused
from cape_airflow.hooks.decision import Decision, decision
from tests.airflow.coordinator import People


@pytest.fixture
def worker(people: People) -> CoordinatorClient:
    return CoordinatorClient(people.url, people.worker_token)


def test_a_project_is_open_until_a_policy_is_approved(worker: CoordinatorClient, people: People, project: str) -> None:
    assert worker.call(decision(project, None)) == Decision("open")
    digest = people.approve(project)
    assert worker.call(decision(project, None)) == Decision("approved", digest)


def test_a_suggestion_is_open_until_it_is_approved(worker: CoordinatorClient, people: People, project: str) -> None:
    suggestion = people.suggest(project)
    assert worker.call(decision(project, suggestion.id)) == Decision("open")
    people.officer.approve(project, suggestion.id, suggestion.digest)
    assert worker.call(decision(project, suggestion.id)) == Decision("approved", suggestion.digest)


def test_a_rejected_suggestion_comes_with_reviewer_and_words(
    worker: CoordinatorClient, people: People, project: str
) -> None:
    suggestion = people.suggest(project)
    people.officer.reject(project, suggestion.id, suggestion.digest, "Say why `country` is kept.")
    found = worker.call(decision(project, suggestion.id))
    assert (found.state, found.digest, found.words) == ("rejected", None, "Say why `country` is kept.")
    assert found.reviewer


def test_the_words_of_a_reviewer_can_neither_forge_a_line_of_a_log_nor_turn_it(
    worker: CoordinatorClient, people: People, project: str
) -> None:
    suggestion = people.suggest(project)
    words = "no\x1b[2J\r\n2026 INFO approved \u202e gnp\u2028\n" + "x" * 600
    people.officer.reject(project, suggestion.id, suggestion.digest, words)
    found = worker.call(decision(project, suggestion.id)).words
    assert found
    assert found.startswith("no [2J 2026 INFO approved gnp xxx")
    assert found.isprintable()
    assert len(found) <= 500


@pytest.mark.parametrize("suggestion_id", [None, "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_a_project_that_is_not_there_is_no_open_one(worker: CoordinatorClient, suggestion_id: str | None) -> None:
    with pytest.raises(CoordinatorRefused):
        worker.call(decision("nowhere", suggestion_id))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"detail": "Not Found"}', b'"no-approved-policy"'])
def test_a_404_of_somebody_else_is_not_taken_for_an_open_decision(body: bytes) -> None:
    with pytest.raises(CoordinatorProtocolError):
        read(decision("pay", None), Answer(404, {}, body), 1000)


@pytest.mark.parametrize("answer", [{}, {"state": "approved"}, [], "approved"])
def test_an_answer_that_is_no_suggestion_is_refused(answer: Any) -> None:
    with pytest.raises(CoordinatorProtocolError):
        read(decision("pay", "01H"), Answer(200, {}, json.dumps(answer).encode()), 1000)


@pytest.mark.parametrize("names", [("", None), ("..", None), ("pay", ""), ("pay", "..")])
def test_a_name_that_would_lead_to_another_route_is_refused(names: tuple[str, str | None]) -> None:
    with pytest.raises(CoordinatorError, match="cannot be asked for"):
        decision(*names)
