"""What the coordinator answers about suggestions and their review, typed and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cape_airflow.client.results import Result
from cape_airflow.jobs import DryRun


class Comment(Result):
    """What somebody said about a suggestion, or about a line of one of its revisions."""

    author: str
    text: str
    created_at: datetime
    line: int | None = None
    revision: int | None = None


class Review(Result):
    """What a reviewer said of a revision (approve, request-changes, reject, break-glass, confirm, object)."""

    reviewer: str
    role: str
    verdict: str
    revision: int
    digest: str
    comment: str | None
    created_at: datetime
    via: str | None = None


class Suggestion(Result):
    """A proposed policy: open, changes-requested, approved, rejected, withdrawn or superseded.

    `base` is the digest that it was written against; `revision` counts its edits from 1.
    """

    id: str
    project: str
    title: str
    description: str
    state: str
    digest: str
    author: str
    created_at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    review_comment: str | None
    comments: tuple[Comment, ...]
    policy: str
    base: str | None = None
    revision: int = 1
    editors: tuple[str, ...] = ()
    reviews: tuple[Review, ...] = ()


class Revision(Result):
    """What a suggestion said from one edit to the next."""

    number: int
    editor: str
    title: str
    description: str
    digest: str
    base: str | None
    created_at: datetime
    policy: str


class Effect(Result):
    """What becomes of a column: transformed, kept or dropped; and what whoever holds the key, or joins, can learn."""

    text: str
    becomes: str
    techniques: tuple[str, ...]
    reversible: bool
    linkable: bool


class EffectChange(Result):
    """One column, matcher, or other part of a policy, before and after."""

    what: str
    before: Effect | None
    after: Effect | None


class DiffLine(Result):
    """One line of two texts: same, removed or added."""

    kind: str
    before: int | None
    after: int | None
    text: str


class Comparison(Result):
    """Two policy texts: their lines, and what they do."""

    before: str | None
    after: str
    lines: tuple[DiffLine, ...]
    effects: tuple[EffectChange, ...]


class Finding(Result):
    """What a reviewer should know."""

    level: str
    message: str
    line: int | None


class Wanted(Result):
    """How many of a role must approve, and have."""

    role: str
    wanted: int
    given: int


class AttachedDryRun(Result):
    """A dry run, and who attached it."""

    reporter: str
    revision: int
    created_at: datetime
    report: DryRun


class Refusal(Result):
    """Why something may not be done now."""

    code: str
    message: str


class ReviewReport(Result):
    """Everything that a reviewer needs; `refusals` says of each act why the caller may not do it, None where he may."""

    suggestion: Suggestion
    base_moved: bool
    after_review_due: bool
    comparison: Comparison
    findings: tuple[Finding, ...]
    quorum: tuple[Wanted, ...]
    dry_run: AttachedDryRun | None
    refusals: Mapping[str, Refusal | None]


class ReviewRule(Result):
    """How many of each role must approve, and for how many days that counts; None: for ever."""

    quorum: Mapping[str, int]
    valid_days: int | None


class PolicyVersion(Result):
    """One approval of a policy of a project, current or earlier; `break_glass`: without review."""

    digest: str
    suggestion_id: str
    title: str
    approved_at: datetime
    expires_at: datetime | None
    break_glass: bool
