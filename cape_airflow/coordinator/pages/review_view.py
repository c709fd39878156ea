"""A suggestion as a reviewer looks at it: what is said about which line, and what he may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cape_airflow.coordinator.access import authorise
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.pages.difference import folded
from cape_airflow.coordinator.permissions import PERMISSIONS
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.report import DiffLine, ReviewReport
from cape_airflow.coordinator.store.models import Comment
from cape_airflow.policy import EffectChange

_PATH = "/projects/{label}/suggestions/{id}"

# Where the form of each act goes; to say something is no act that a state forbids.
_FORMS: Mapping[str, str] = {
    "approve": "/approve",
    "request-changes": "/request-changes",
    "reject": "/reject",
    "withdraw": "/withdraw",
    "edit": "/edit",
    "rebase": "/rebase",
    "break-glass": "/break-glass",
    "confirm": "/after-review",
    "comment": "/comments",
}


@dataclass(frozen=True)
class Option:
    """Something that can be done with a suggestion, and why the reader may not do it, where he may not.

    Args:
        code: machine-readable, e.g. ``own-suggestion``; empty where he may.
        reason: for people.
    """

    code: str = ""
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether the reader may do it."""
        return not self.code


def options(call: Call, report: ReviewReport) -> dict[str, Option]:
    """Return what the reader may do, by the name of the act; told by the rules that decide when he does."""
    return {act: _option(call, report.refusals.get(act), _PATH + path) for act, path in _FORMS.items()}


def _option(call: Call, refusal: tuple[str, str] | None, path: str) -> Option:
    if refusal:
        return Option(*refusal)
    rule = replace(PERMISSIONS["POST", path], governs=False)  # who only asks waits for nobody
    try:
        authorise(call.seals, call.session, rule, call.user, call.project.label)
    except Problem as problem:
        return Option(problem.code, str(problem.detail))
    return Option()


@dataclass(frozen=True)
class TextChange:
    """What changes in the text, with what is said about its lines.

    Args:
        lines: as `difference.folded` returns them.
        said: comments on a line of the text as it is now, by the line.
        earlier: comments on lines of revisions before it.
    """

    lines: Sequence[DiffLine | int]
    said: Mapping[int, Sequence[Comment]]
    earlier: Sequence[Comment]


def text_change(report: ReviewReport, marked: int | None) -> TextChange:
    """Return the change of the text; `marked` is a line that the reader wants to speak about."""
    said: dict[int, list[Comment]] = {}
    earlier = []
    for comment in report.suggestion.comments:
        if comment.line is not None and comment.revision == report.revision:
            said.setdefault(comment.line, []).append(comment)
        elif comment.line is not None:
            earlier.append(comment)
    shown = {*said, marked} - {None}
    return TextChange(folded(report.comparison.lines, shown), said, earlier)


def changes_first(effects: Iterable[EffectChange]) -> list[EffectChange]:
    """Return what becomes of the data under both policies, what changes first."""
    return sorted(effects, key=lambda effect: not effect.changed)
