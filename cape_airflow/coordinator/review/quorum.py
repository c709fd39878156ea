"""Who must approve in a project, and for how long an approval counts: the project's review rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.guards import Reviewer
from cape_airflow.coordinator.seals import Seals
from cape_airflow.coordinator.store.models import Project, ReviewRule


@dataclass(frozen=True)
class Rule:
    """What makes an approval.

    Args:
        quorum: how many of each role must agree, e.g. ``{"project-owner": 1, "auditor": 1}``; everybody counts once.
        valid_days: days until the policy needs to be certified again; None: it never does.
    """

    quorum: Mapping[Reviewer, int]
    valid_days: int | None = None

    def looser_than(self, other: Rule) -> bool:
        """Whether this rule lets something pass that `other` does not."""
        fewer = any(self.quorum.get(role, 0) < wanted for role, wanted in other.quorum.items())
        longer = other.valid_days is not None and (self.valid_days is None or self.valid_days > other.valid_days)
        return fewer or longer


DEFAULT = Rule({"project-owner": 1})


def rule_of(seals: Seals, session: Session, project: Project) -> Rule:
    """Return the project's rule; the default where it has none.

    Raises:
        Problem: 403 ``tampered``.
    """
    row = _row(seals, session, project)
    return DEFAULT if row is None else _read(row)


def set_rule(call: Call, rule: Rule) -> Rule:
    """Give the project another rule. It counts from now on, for open suggestions too.

    Those who are bound by it do not loosen it: an owner may ask for more, and only an admin for less.

    Raises:
        Problem: 403 ``looser-rule``; 403 ``tampered``.
    """
    row = _row(call.seals, call.session, call.project)
    if not call.by_admin and rule.looser_than(DEFAULT if row is None else _read(row)):
        raise Problem(403, "looser-rule", "an owner may make the review rule stricter; only an admin loosens it")
    if row is None:
        row = ReviewRule(project=call.project)
        call.session.add(row)
    row.quorum = {str(role): count for role, count in rule.quorum.items()}
    row.valid_days, row.updated_at = rule.valid_days, call.now
    call.seals.put(row)
    call.record(Event.UPDATE_REVIEW_RULE, "project", call.project.id, _in_words(rule))
    return rule


def names_auditors(seals: Seals, session: Session, project: Project) -> bool:
    """Whether auditors have a say in the project's reviews."""
    return rule_of(seals, session, project).quorum.get("auditor", 0) > 0


def _row(seals: Seals, session: Session, project: Project) -> ReviewRule | None:
    row = session.scalar(select(ReviewRule).where(ReviewRule.project_seq == project.seq))
    if row is not None:
        seals.check(row)
    return row


def _read(row: ReviewRule) -> Rule:
    return Rule(row.quorum, row.valid_days)  # type: ignore[arg-type]  # sealed: nobody else has written it


def _in_words(rule: Rule) -> str:
    quorum = ", ".join(f"{count} {role}" for role, count in sorted(rule.quorum.items()))
    return f"{quorum}; valid for {rule.valid_days} days" if rule.valid_days else quorum
