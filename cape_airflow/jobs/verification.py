"""What is told of an output that was read again: which promises of its plan it keeps; counts, and never a value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cape_airflow.errors import GuaranteeBroken

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=300)]
_TOLD = 5


class Outcome(StrEnum):
    """What was found; a promise is `unchecked` where it leaves nothing to be seen."""

    KEPT = "kept"
    BROKEN = "broken"
    UNCHECKED = "unchecked"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(_Message):
    """One promise of the plan.

    Args:
        check: which: columns, type, token-grammar, key-version, values-in-common, row-count, policy-digest or job-id.
        column: that it is about; None for the whole output.
        rule: place in the policy, e.g. ``rules[2].actions[0]``; empty where it is about the whole.
        rows: that break it.
        why: what was found, where that is not what was promised; without values.
    """

    check: Text
    column: Text | None = None
    rule: Text = ""
    outcome: Outcome
    rows: Count = 0
    why: Annotated[str, Field(max_length=1000)] = ""

    def __str__(self) -> str:
        place = f"column `{self.column}`" if self.column is not None else "the output"
        by = f" ({self.rule})" if self.rule else ""
        rows = f" in {self.rows:,} rows" if self.rows else ""
        return f"{place}{by}: {self.check} {self.outcome}{rows}{': ' if self.why else ''}{self.why}"


class Verification(_Message):
    """All promises of a plan about one output.

    Args:
        policy_digest: 64 lower-case hex digits.
        rows_in, rows_out: rows of the source and of the output, as they are now.
    """

    policy_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rows_in: Count
    rows_out: Count
    verdicts: Annotated[tuple[Verdict, ...], Field(max_length=10_000)]
    made_at: datetime

    def of(self, outcome: Outcome) -> tuple[Verdict, ...]:
        """Return the verdicts with this outcome."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is outcome)

    def describe(self) -> str:
        """Return how many promises are kept, broken and unchecked, in one line for people."""
        return ", ".join(f"{len(self.of(outcome))} {outcome}" for outcome in Outcome)

    def require_kept(self) -> None:
        """Refuse an output that breaks a promise.

        Raises:
            GuaranteeBroken: names the first of them: column, rule and number of rows.
        """
        broken = self.of(Outcome.BROKEN)
        if broken:
            raise GuaranteeBroken(f"the output breaks {len(broken)} promises of its policy: {_told(broken)}")


def _told(broken: Iterable[Verdict]) -> str:
    each = [str(verdict) for verdict in broken]
    return "; ".join([*each[:_TOLD], *(["and more"] if len(each) > _TOLD else [])])
