from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cape_airflow.errors import GuaranteeBroken
from cape_airflow.jobs import Outcome, Verdict, Verification


def _found(*outcomes: Outcome) -> Verification:
    verdicts = tuple(
        Verdict(check="type", column=f"c{number}", rule="rules[1]", outcome=outcome, rows=1234)
        for number, outcome in enumerate(outcomes)
    )
    return Verification(policy_digest="0" * 64, rows_in=2, rows_out=1, verdicts=verdicts, made_at=datetime.now(UTC))


def test_what_is_unchecked_is_neither_kept_nor_broken() -> None:
    found = _found(Outcome.KEPT, Outcome.UNCHECKED)
    found.require_kept()
    assert found.describe() == "1 kept, 0 broken, 1 unchecked"


def test_an_error_names_column_rule_and_rows_of_the_first_broken_promises() -> None:
    with pytest.raises(GuaranteeBroken, match=r"column `c0` \(rules\[1\]\): type broken in 1,234 rows") as refusal:
        _found(*[Outcome.BROKEN] * 7).require_kept()
    assert "breaks 7 promises" in str(refusal.value)
    assert str(refusal.value).endswith("and more")
