"""Reviews that people give inside Airflow: what they are asked there, and where the answer is found."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints

from cape_airflow.coordinator.answers import AnswerBook, Place, ask, carry
from cape_airflow.coordinator.api.shapes import Answer, Body
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.store.models import SuggestionState

router = APIRouter(prefix="/v1/projects/{label}/suggestions/{id}", route_class=GuardedRoute, tags=["review"])

Name = Annotated[str, StringConstraints(min_length=1, max_length=250)]


class AnsweredAt(Body):
    """The task instance whose question was answered."""

    dag_id: Name
    run_id: Name
    task_id: Name
    map_index: Annotated[int, Field(ge=-1)] = -1


class QuestionAnswer(Answer):
    """What to ask: a subject, a text in Markdown, options, and parameters as Airflow describes them."""

    subject: str
    body: str
    options: list[str]
    params: dict[str, Any]


class CarriedAnswer(Answer):
    """Whose review came of it, what he said, and what the suggestion is now."""

    reviewer: str
    verdict: str
    state: SuggestionState


async def _book(request: Request) -> AnswerBook | None:
    book: AnswerBook | None = request.app.state.answers
    return book


BookDep = Annotated[AnswerBook | None, Depends(_book)]


@router.get("/question")
def question_about(label: str, id: str, call: CallDep, book: BookDep) -> QuestionAnswer:
    """Return the question to put to reviewers inside Airflow."""
    asked = ask(call, id, book)
    return QuestionAnswer(subject=asked.subject, body=asked.body, options=[*asked.options], params={**asked.params})


@router.post("/answers")
def take_answer(label: str, id: str, body: AnsweredAt, call: CallDep, book: BookDep) -> CarriedAnswer:
    """Take what a person has answered inside Airflow as his review."""
    carried = carry(call, id, Place(body.dag_id, body.run_id, body.task_id, body.map_index), book)
    return CarriedAnswer(reviewer=carried.reviewer.email, verdict=carried.verdict, state=carried.suggestion.state)
