"""A suggestion as a question in Markdown, for people who are asked elsewhere: all that a reviewer must see.

It is made of nothing but the suggestion as it is and the policy that it was written against. So it can be made again
when an answer comes, and shows whether that was the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cape_airflow.coordinator.review.report import ReviewReport
from cape_airflow.policy import Effect, EffectChange, Finding

APPROVE, REJECT, REQUEST_CHANGES = "Approve", "Reject", "Request changes"

_COMMENT = {
    "value": None,
    "description": "Why. Needed to reject, and to request changes.",
    "schema": {"type": ["string", "null"], "title": "Comment", "format": "multiline", "maxLength": 4000},
}
_HEADER = "| What | Change | In force | With this policy | Reversible |\n|---|---|---|---|---|"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class Question:
    """What somebody is asked.

    Args:
        subject: one line of plain text.
        body: Markdown (CommonMark, with the tables of GFM).
        options: the answers; one may be chosen.
        params: what else is asked for, as Airflow describes parameters.
    """

    subject: str
    body: str
    options: tuple[str, ...] = (APPROVE, REJECT, REQUEST_CHANGES)
    params: Mapping[str, Any] = field(default_factory=lambda: {"comment": _COMMENT})


def question(report: ReviewReport, root: str) -> Question:
    """Return the question whether a suggestion is to be approved.

    Args:
        report: on the suggestion.
        root: path of the coordinator on the server where the question is asked, without a slash at its end.
    """
    suggestion = report.suggestion
    project = suggestion.project.label
    page = f"{root}/projects/{project}/suggestions/{suggestion.id}"
    return Question(
        f"Approve the policy of project {project}? (suggestion {suggestion.id})",
        "\n\n".join((_heading(report), _table(report.comparison.effects), _remarks(report), f"[Review page]({page})")),
    )


def escaped(text: str) -> str:
    """Return what somebody wrote as one line of Markdown that means nothing but itself (CommonMark section 2.4)."""
    visible = "".join(char if char.isprintable() else " " for char in text)
    return _PUNCTUATION.sub(r"\\\1", " ".join(visible.split()))


def _heading(report: ReviewReport) -> str:
    suggestion = report.suggestion
    editors = sorted({row.editor.email for row in report.revisions} - {suggestion.author.email})
    edited = f", edited by {', '.join(map(escaped, editors))}" if editors else ""
    said = "\n".join(f"> {escaped(line)}" for line in suggestion.description.splitlines())
    names = f"**{escaped(suggestion.title)}**, by {escaped(suggestion.author.email)}{edited}"
    replaced = f"`{report.comparison.before}`" if report.comparison.before else "no policy"
    digests = f"Revision {report.revision}, digest `{suggestion.digest}`, in place of {replaced}."
    return "\n\n".join(part for part in (names, said, digests) if part)


def _table(effects: Iterable[EffectChange]) -> str:
    return "\n".join((_HEADER, *(_row(effect) for effect in effects)))


def _row(effect: EffectChange) -> str:
    cells = (
        escaped(effect.what),
        _change(effect),
        _becomes(effect.before) if effect.changed else "the same",
        _becomes(effect.after),
        _reversible(effect.after),
    )
    return f"| {' | '.join(cells)} |"


def _change(effect: EffectChange) -> str:
    if not effect.changed:
        return "none"
    return "**new**" if effect.before is None else "**gone**" if effect.after is None else "**changed**"


def _becomes(effect: Effect | None) -> str:
    return escaped(effect.text) if effect else "no rule"


def _reversible(effect: Effect | None) -> str:
    if effect is None or effect.becomes != "transformed":
        return {"kept": "shown as it is", "dropped": "not in the output"}[effect.becomes] if effect else "no rule"
    return "**yes**, with the key" if effect.reversible else "no"


def _remarks(report: ReviewReport) -> str:
    remarks = "\n".join(_findings(report.findings))
    return remarks or "Nothing was found to remark on."


def _findings(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        line = f" line {finding.location.line}:" if finding.location else ""
        yield f"- **{finding.level}**:{line} {escaped(finding.message)}"
