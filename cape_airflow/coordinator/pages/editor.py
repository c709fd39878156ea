"""Pages: a policy put together in a form, with its text and effect beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import ValidationError
from sqlalchemy import select

from cape_airflow.coordinator import project_keys, review
from cape_airflow.coordinator.api.shapes import Line, Prose
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.forms import Fields, parse_form
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages import policy_view, wording
from cape_airflow.coordinator.pages.drafting import KEEP, Draft, column_names, draft_from_form, draft_from_policy
from cape_airflow.coordinator.pages.form_fields import Form
from cape_airflow.coordinator.pages.parameters import parameters
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router
from cape_airflow.coordinator.pages.sample import SAMPLE
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import Job, JobColumn
from cape_airflow.errors import PolicyError
from cape_airflow.policy import Finding, lint, load_policy
from cape_airflow.transformations import Technique, techniques

router = pages_router("/projects/{label}/editor")

# What has a successor, what suppresses rows, and what turns tokens back: none of it is a way to protect a column.
_NOT_OFFERED = frozenset(
    {
        "suppress-record",
        "reveal",
        "tokenizer",
        "reversible-tokenizer",
        "token-reverser",
        "numeric-rounding",
        "numeric-perturbation",
        "date-truncation",
        "date-perturbation",
    }
)


async def _fields(request: Request) -> Fields:
    return parse_form(await request.body())


FieldsDep = Annotated[Fields, Depends(_fields)]


class Said(Form):
    """What its author says of a suggestion."""

    title: Line
    description: Prose = ""


@dataclass(frozen=True)
class Outcome:
    """What a draft makes.

    Args:
        text: the policy text; `wrong` says why it is none yet.
    """

    text: str = ""
    wrong: str = ""
    treatments: list[policy_view.Treatment] = field(default_factory=list)
    footing: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def lines(self) -> list[tuple[int, str]]:
        """The text, line by line."""
        return policy_view.lines(self.text)


@router.get("")
def editor(request: Request, label: str, call: CallDep, sample: bool = False) -> Response:
    """Begin with the policy that is in force, the sample, or the columns that the last job had."""
    if sample:
        return _editor(request, call, SAMPLE)
    approval = review.approval_of(call)
    draft = draft_from_policy(load_policy(approval.suggestion.policy)) if approval else Draft(label=label)
    if draft is None:
        return _editor(request, call, Draft(label=label).with_columns(_known_columns(call)), beyond=True)
    return _editor(request, call, draft.with_columns(_known_columns(call)))


@router.post("")
def preview(request: Request, label: str, call: CallDep, form: FieldsDep) -> Response:
    """Show what the form makes, after a change in it."""
    return _editor(request, call, _draft(form), form)


@router.post("/suggest")
def suggest_draft(request: Request, label: str, call: CallDep, form: FieldsDep) -> Response:
    """Suggest what the form makes."""
    draft = _draft(form)
    try:
        said = Said.model_validate({name: form.get(name, [""])[0] for name in ("title", "description")})
        made = review.suggest(call, said.title, said.description, draft.text())
    except ValidationError:
        return _editor(request, call, draft, form, wrong_title="Say in one line what changes")
    except Problem as problem:
        if problem.status_code != 422:
            raise
        return _editor(request, call, draft, form)
    return go_to(request, "suggestion", label=label, id=made.id)


def _draft(form: Fields) -> Draft:
    return draft_from_form(form).with_columns(column_names(form.get("add", [""])[0]))


def _editor(
    request: Request,
    call: Call,
    draft: Draft,
    form: Fields | None = None,
    *,
    beyond: bool = False,
    wrong_title: str = "",
) -> Response:
    return page(
        request,
        call,
        "editor.html",
        status=422 if wrong_title else 200,
        project=call.project,
        draft=draft,
        outcome=outcome_of(draft),
        offered=OFFERED,
        fields={name: list(parameters(kind)) for name, kind in _kinds()},
        words={name: wording.words(kind) for name, kind in _kinds()},
        examples={name: kind.example for name, kind in _kinds()},
        keys=[key.name for key in call.session.scalars(project_keys.keys(call))],
        title=(form or {}).get("title", [""])[0],
        description=(form or {}).get("description", [""])[0],
        beyond=beyond,
        wrong_title=wrong_title,
        keep=KEEP,
    )


def outcome_of(draft: Draft) -> Outcome:
    """Return the policy that a draft makes, or what is still wrong with it."""
    if not draft.columns or draft.undecided == [column.name for column in draft.columns]:
        return Outcome(wrong="Choose for at least one column what is to become of it.")
    text = draft.text()
    try:
        policy = load_policy(text)
    except PolicyError as error:
        return Outcome(text, str(error))
    treatments, footing = list(policy_view.treatments(policy)), policy_view.footing(policy)
    return Outcome(text, "", treatments, footing, list(lint(policy)))


def _kinds() -> Iterator[tuple[str, type[Technique]]]:
    return ((name, kind) for name, kind in techniques().items() if name not in _NOT_OFFERED)


def _offered() -> Mapping[str, list[tuple[str, str]]]:
    """Return the techniques that the form offers: type and title, by heading of their family."""
    groups = {
        heading: [(name, wording.words(kind).title) for name, kind in _kinds() if kind.family is family]
        for family, heading in wording.FAMILIES.items()
    }
    return {heading: offers for heading, offers in groups.items() if offers}


OFFERED = _offered()


def _known_columns(call: Call) -> list[str]:
    """Return the columns that the project's newest finished job had."""
    newest = (
        select(Job.seq).join(JobColumn).where(Job.project_seq == call.project.seq).order_by(Job.seq.desc()).limit(1)
    )
    query = select(JobColumn.name).where(JobColumn.job_seq == newest.scalar_subquery()).order_by(JobColumn.position)
    return list(call.session.scalars(query))
