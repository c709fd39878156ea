"""The errand of `CapeApprovalOperator`: what to ask inside Airflow, and where the coordinator finds the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cape_airflow.client.address import path_of
from cape_airflow.client.protocol import Request, json_of
from cape_airflow.client.results import Result


class Question(Result):
    """What to put to reviewers: a subject, Markdown, options, and parameters as Airflow describes them."""

    subject: str
    body: str
    options: tuple[str, ...]
    params: Mapping[str, Any]


class Carried(Result):
    """Whose review came of an answer, what he said, and what the suggestion is now."""

    reviewer: str
    verdict: str
    state: str


def question(project: str, suggestion_id: str) -> Request[Question]:
    """Return the request for the question about a suggestion.

    Raises:
        CoordinatorError: a name is empty or made of dots.
    """
    return Request("GET", path_of("projects", project, "suggestions", suggestion_id, "question"), json_of(Question))


def answer(project: str, suggestion_id: str, place: Mapping[str, str | int]) -> Request[Carried]:
    """Return the request to take the answer that Airflow keeps at a task instance, as a review.

    Args:
        project, suggestion_id: what was asked about.
        place: ``dag_id``, ``run_id``, ``task_id`` and ``map_index``.

    Raises:
        CoordinatorError: a name is empty or made of dots.
    """
    path = path_of("projects", project, "suggestions", suggestion_id, "answers")
    return Request("POST", path, json_of(Carried), place, keyed=True)
