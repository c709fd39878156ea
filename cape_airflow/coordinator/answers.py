"""What people answer elsewhere, as reviews: inside Airflow around the coordinator, whose own record says who it was.

Who carries an answer here says only where it is found. That it is a person's, whose, and to which question, the
coordinator reads in the record of the system that asked; that the question was about this very text it finds out by
asking it again. From there on the person reviews as if he had done so here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select

from cape_airflow.coordinator import review
from cape_airflow.coordinator.access import authorise
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call, Caller
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.identities import Identity, bound
from cape_airflow.coordinator.permissions import PERMISSIONS
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.question import APPROVE, REJECT, REQUEST_CHANGES, Question, question
from cape_airflow.coordinator.review.report import ReviewReport, report
from cape_airflow.coordinator.store.models import Review, Suggestion, User

_VERDICTS = {APPROVE: "approve", REJECT: "reject", REQUEST_CHANGES: "request-changes"}
_ROUTE = "/v1/projects/{label}/suggestions/{id}/"
_LONGEST_COMMENT = 4_000


@dataclass(frozen=True)
class Place:
    """Where an answer is found: a task instance of Airflow."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def __str__(self) -> str:
        return f"{self.dag_id}/{self.run_id}/{self.task_id}/{self.map_index}"


@dataclass(frozen=True)
class GivenAnswer:
    """A record of what somebody was asked, and answered.

    Args:
        asked: what he saw.
        subject: his name in the other system that is never given to anybody else; None where no person answered.
        chosen: what he chose.
        comment: what he wrote, as it came.
    """

    asked: Question
    subject: str | None
    answered_at: datetime
    chosen: tuple[str, ...]
    comment: Any = None


class AnswerBook(Protocol):
    """The records of the system around the coordinator; nobody but that system writes them.

    Attributes:
        name: of this kind of answers, in the audit log.
        issuer: whose names of people these are; see `identities.Identity`.
        root: path of the coordinator on that system's server.
    """

    name: str
    issuer: str
    root: str

    def find(self, place: Place) -> GivenAnswer | None:
        """Return what was answered there; None where nothing was asked, or nothing answered.

        Raises:
            Problem: its record proves nothing.
        """


@dataclass(frozen=True)
class Carried:
    """What came of an answer: whose verdict it was, and the suggestion after it."""

    reviewer: User
    verdict: str
    suggestion: Suggestion


def ask(call: Call, suggestion_id: str, book: AnswerBook | None) -> Question:
    """Return the question whose answer `carry` takes.

    Raises:
        Problem: 404; 409 ``not-inside-airflow``; 403 ``tampered``.
    """
    return question(report(call, suggestion_id), _book(book).root)


def carry(call: Call, suggestion_id: str, place: Place, book: AnswerBook | None) -> Carried:
    """Take the answer that is found there as a review by the person who gave it.

    Raises:
        Problem: 404, also ``no-answer``; 409 ``not-inside-airflow``, ``no-person``, ``another-question``,
            ``answer-used``, ``no-comment``; 403 ``unknown-person``; and whatever the rules say of a review by him.
    """
    book = _book(book)
    found = report(call, suggestion_id)
    answer = book.find(place)
    if answer is None:
        raise Problem(404, "no-answer", "nobody has answered there")
    if answer.asked != question(found, book.root):
        message = "what was asked there is not what this suggestion says now; look at it on its review page"
        raise Problem(409, "another-question", message)
    person = _person(call, answer, book)
    theirs = replace(call, caller=Caller(person, via=_unused(call, answer, place, book)))
    verdict = _verdict(answer)
    try:
        suggestion = _review(theirs, found, verdict, _comment(answer))
    except Problem as problem:
        raise _said_to(person, verdict, problem) from None
    call.record(Event.CARRY_ANSWER, "suggestion", suggestion_id, f"{verdict} {person.email} {book.name} {place}")
    return Carried(person, verdict, suggestion)


def _book(book: AnswerBook | None) -> AnswerBook:
    if book is None:
        message = "this coordinator does not run inside Airflow, and cannot see who answers there; review on its pages"
        raise Problem(409, "not-inside-airflow", message)
    return book


def _person(call: Call, answer: GivenAnswer, book: AnswerBook) -> User:
    if answer.subject is None:
        raise Problem(409, "no-person", "no person has answered there: a default, or the task itself")
    person = bound(call.coordinator, call.session, Identity(book.issuer, answer.subject, "", ""))
    if person is None:
        message = "who answered there was never here: open the review page once, so that the coordinator knows you"
        raise Problem(403, "unknown-person", message)
    return person


def _unused(call: Call, answer: GivenAnswer, place: Place, book: AnswerBook) -> str:
    """Return what tells the answer from all others: a place keeps no two answers of one moment."""
    via = f"{book.name} {place} {rfc3339(answer.answered_at)}"
    if call.session.scalar(select(Review.seq).where(Review.via == via)) is not None:
        raise Problem(409, "answer-used", "this answer has counted already")
    return via


def _verdict(answer: GivenAnswer) -> str:
    if len(answer.chosen) != 1 or answer.chosen[0] not in _VERDICTS:
        raise Problem(409, "another-question", "what was chosen there is not one of the answers to this question")
    return _VERDICTS[answer.chosen[0]]


def _said_to(person: User, verdict: str, problem: Problem) -> Problem:
    """Return a refusal of the person, so that nobody takes it for one of who carries his answer."""
    message = f"{person.email} answered {verdict}: {problem.detail}"
    if problem.code in ("forbidden", "not-found"):
        return Problem(403, "not-a-reviewer", message)
    return Problem(problem.status_code, problem.code, message)


def _comment(answer: GivenAnswer) -> str | None:
    """Return what he wrote; None where that is nothing."""
    try:
        comment = TypeAdapter(str | None).validate_python(answer.comment)
    except ValidationError:
        raise Problem(409, "no-comment", "the comment there is no text") from None
    comment = (comment or "").strip()
    if len(comment) > _LONGEST_COMMENT:
        raise Problem(409, "no-comment", f"the comment there is longer than {_LONGEST_COMMENT} characters")
    return comment or None


def _review(call: Call, found: ReviewReport, verdict: str, comment: str | None) -> Suggestion:
    """Do what the person asks for, who is authorised as on the route for the same thing."""
    authorise(call.seals, call.session, PERMISSIONS["POST", _ROUTE + verdict], call.user, call.project.label)
    suggestion, revision = found.suggestion, found.revision
    if verdict == "approve":
        return review.approve(call, suggestion.id, suggestion.digest, comment, revision)
    if comment is None:
        raise Problem(409, "no-comment", "who rejects, or requests changes, says why in the comment")
    act = review.reject if verdict == "reject" else review.request_changes
    return act(call, suggestion.id, suggestion.digest, comment, revision)
