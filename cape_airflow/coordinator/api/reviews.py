"""Reviews: what a reviewer sees, what he says, and the rule that says who must."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api.shapes import Answer, Body, Digest, Moment, Prose, Said
from cape_airflow.coordinator.api.suggestions import Number, SuggestionAnswer, show_suggestion
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.review.report import Comparison, ReviewReport, Wanted, compare, report, text_of
from cape_airflow.coordinator.store.models import DryRunRow
from cape_airflow.jobs import DryRun
from cape_airflow.policy import Finding

router = APIRouter(prefix="/v1/projects/{label}", route_class=GuardedRoute, tags=["review"])

_SUGGESTION = "/suggestions/{id}"
Version = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64}|[0-9A-Z]{26}(\.[1-9][0-9]{0,5})?)$")]
Count = Annotated[int, Field(ge=0, le=10)]


class _Seen(Body):
    digest: Digest
    revision: Number | None = None


class Approve(_Seen):
    """Yes to the digest that the reviewer saw; and to its title and description, where he names the revision."""

    comment: Prose | None = None


class Reject(_Seen):
    """No, or not yet, to the digest that the reviewer saw, and why."""

    comment: Said


class BreakGlass(_Seen):
    """Why the digest that one saw must be in force without a review."""

    reason: Said


class AfterReview(_Seen):
    """What somebody else says afterwards; an objection says why."""

    verdict: Literal["confirm", "object"]
    comment: Said | None = None

    @model_validator(mode="after")
    def _objections_say_why(self) -> AfterReview:
        if self.verdict == "object" and self.comment is None:
            raise ValueError("an objection says why: `comment`")
        return self


class Quorum(Body):
    """How many of each must approve; everybody counts once."""

    model_config = ConfigDict(populate_by_name=True)
    owners: Count = Field(0, alias="project-owner")
    auditors: Count = Field(0, alias="auditor")

    @model_validator(mode="after")
    def _somebody(self) -> Quorum:
        if not self.owners + self.auditors:
            raise ValueError("somebody must approve")
        return self


class RuleBody(Body):
    """Who must approve, and after how many days a policy must be certified again; null: never."""

    quorum: Quorum
    valid_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class RuleAnswer(Answer):
    """The project's review rule."""

    quorum: dict[str, int]
    valid_days: int | None


class DryRunAnswer(Answer):
    """A dry run, and who attached it."""

    reporter: str
    revision: int
    created_at: Moment
    report: DryRun


class FindingAnswer(Answer):
    """A remark of `lint`."""

    level: str
    message: str
    line: int | None


class Refusal(Answer):
    """Why something may not be done."""

    code: str
    message: str


class ReviewAnswer(Answer):
    """Everything that a reviewer needs; see `coordinator.review.report.ReviewReport`."""

    suggestion: SuggestionAnswer
    base_moved: bool
    after_review_due: bool
    comparison: Comparison
    findings: list[FindingAnswer]
    quorum: list[Wanted]
    dry_run: DryRunAnswer | None
    refusals: dict[str, Refusal | None]


@router.get(_SUGGESTION + "/review")
def review_of(label: str, id: str, call: CallDep) -> ReviewAnswer:
    """Return what a reviewer needs: differences in text and effect, findings, quorum, dry run."""
    found = report(call, id)
    return _show(found, show_suggestion(call, found.suggestion))


@router.post(_SUGGESTION + "/approve")
def approve(label: str, id: str, body: Approve, call: CallDep) -> SuggestionAnswer:
    """Approve the digest that one saw."""
    return show_suggestion(call, review.approve(call, id, body.digest, body.comment, body.revision))


@router.post(_SUGGESTION + "/request-changes")
def request_changes(label: str, id: str, body: Reject, call: CallDep) -> SuggestionAnswer:
    """Ask the author for another text."""
    return show_suggestion(call, review.request_changes(call, id, body.digest, body.comment, body.revision))


@router.post(_SUGGESTION + "/reject")
def reject(label: str, id: str, body: Reject, call: CallDep) -> SuggestionAnswer:
    """Reject the digest that one saw, and say why."""
    return show_suggestion(call, review.reject(call, id, body.digest, body.comment, body.revision))


@router.post(_SUGGESTION + "/break-glass")
def break_glass(label: str, id: str, body: BreakGlass, call: CallDep) -> SuggestionAnswer:
    """Put it in force without a review, for 72 hours; an after-review is due."""
    return show_suggestion(call, review.break_glass(call, id, body.digest, body.reason, body.revision))


@router.post(_SUGGESTION + "/after-review")
def after_review(label: str, id: str, body: AfterReview, call: CallDep) -> SuggestionAnswer:
    """Review what was put in force without a review."""
    if body.verdict == "confirm":
        return show_suggestion(call, review.confirm(call, id, body.digest, body.comment, body.revision))
    return show_suggestion(call, review.object_to(call, id, body.digest, body.comment or "", body.revision))


@router.get("/diff")
def diff(
    label: str, before: Annotated[Version, Query()], after: Annotated[Version, Query()], call: CallDep
) -> Comparison:
    """Compare two versions: approved digests, suggestions (`id`), or their revisions (`id.number`)."""
    return compare(text_of(call, before), text_of(call, after))


@router.get("/review-rule")
def review_rule(label: str, call: CallDep) -> RuleAnswer:
    """Return the project's review rule."""
    return _show_rule(review.rule_of(call.seals, call.session, call.project))


@router.put("/review-rule")
def set_review_rule(label: str, body: RuleBody, call: CallDep) -> RuleAnswer:
    """Give the project another review rule; an owner a stricter one, an admin any."""
    wanted = TypeAdapter(dict[str, int]).validate_python(body.quorum.model_dump(by_alias=True))
    quorum = {role: count for role, count in wanted.items() if count}
    return _show_rule(review.set_rule(call, review.Rule(quorum, body.valid_days)))  # type: ignore[arg-type]


def _show(found: ReviewReport, shown: SuggestionAnswer) -> ReviewAnswer:
    return ReviewAnswer(
        suggestion=shown,
        base_moved=found.base_moved,
        after_review_due=found.after_review_due,
        comparison=found.comparison,
        findings=[_show_finding(each) for each in found.findings],
        quorum=list(found.quorum),
        dry_run=_show_dry_run(found.dry_run) if found.dry_run else None,
        refusals={act: Refusal(code=no[0], message=no[1]) if no else None for act, no in found.refusals.items()},
    )


def _show_finding(finding: Finding) -> FindingAnswer:
    line = finding.location.line if finding.location else None
    return FindingAnswer(level=finding.level, message=finding.message, line=line)


def _show_dry_run(row: DryRunRow) -> DryRunAnswer:
    document = DryRun.model_validate(row.document)
    return DryRunAnswer(reporter=row.reporter.email, revision=row.revision, created_at=row.created_at, report=document)


def _show_rule(rule: review.Rule) -> RuleAnswer:
    return RuleAnswer(quorum={str(role): count for role, count in rule.quorum.items()}, valid_days=rule.valid_days)
