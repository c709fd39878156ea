"""What a reviewer should know before approving a policy: it is valid, but is it wise?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cape_airflow.errors import Location
from cape_airflow.policy.model import INLINE, Policy


@dataclass(frozen=True)
class Finding:
    """One remark.

    Args:
        level: ``error`` must not be approved; ``warning`` is for the reviewer to judge.
        message: what and why, without values of keys.
        location: its place in the text, where it has one.
    """

    level: Literal["error", "warning"]
    message: str
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.level}: {f'{self.location}: ' if self.location else ''}{self.message}"


def lint(policy: Policy) -> list[Finding]:
    """Return all findings, in the order of the text."""
    return list(_findings(policy))


def _findings(policy: Policy) -> Iterator[Finding]:
    if policy.default == "keep":
        yield Finding(
            "warning", "a column that no rule is about passes unchanged; `default: fail` (version 2) refuses it"
        )
    for rule in policy.rules:
        for action in rule.actions:
            technique = action.technique
            for reference in technique.key_references():
                if reference.ref.startswith(INLINE):
                    yield Finding("error", "a key stands in the text; name it: `key: {ref: NAME}`", action.location)
            for note in technique.notes():
                yield Finding("warning", f"`{technique.type}`: {note}", action.location)
