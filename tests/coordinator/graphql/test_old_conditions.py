"""Conditions for Cape's clients: what pandas keeps of them is never more than what we keep."""

from __future__ import annotations

import math

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.graphql.old_conditions import old_condition
from cape_airflow.policy.condition import And, Column, Comparison, Condition, In, Literal, Not, Or, Truth
from cape_airflow.policy.condition_parser import parse_condition
from cape_airflow.policy.two_valued import two_valued

FRAME = pd.DataFrame(
    {
        "age": [17.0, 18.0, math.nan, 30.0, 17.0, math.nan],
        "first name": ["Alice", None, "Bob", "Alice", "日本", "x"],
        "vip": [True, False, True, False, True, False],
    }
)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("age < 18", "(`age` < 18)"),
        ("18 > age", "(`age` < 18)"),
        ("age = 18", "(`age` == 18)"),
        ("age != -1.5", "(`age` != -1.5)"),
        ("age > 2 or b = 'y'", "((`age` > 2) or (`b` == 'y'))"),
        ("not (vip and age >= 1)", "(not ((`vip` == True) and (`age` >= 1)))"),
        ("b in ('x', 'y')", "((`b` == 'x') or (`b` == 'y'))"),
        ("b in ['x']", "((`b` == 'x'))"),
        ("age between 1 and 2", "((`age` >= 1) and (`age` <= 2))"),
        ("vip = false", "(`vip` == False)"),
        ("a < `first name`", "(`a` < `first name`)"),
    ],
)
def test_a_condition_is_sent_in_the_words_of_pandas_and_spark_and_in_parentheses(text: str, sent: str) -> None:
    assert old_condition(parse_condition(text)) == sent


@pytest.mark.parametrize(
    "text",
    [
        "age is null",
        "vip is true",
        "name like 'A%'",
        "age > 1 and not (name like 'A%')",
        'name = "it\'s"',
        r"name = 'a\\b'",
        "name = 'a\nb'",
        "`a@b` > 1",
        "`a#b` in (1, 2)",
        "a > `x'y`",
    ],
)
def test_what_one_of_the_two_does_not_understand_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="condition"):
        old_condition(parse_condition(text))


def test_a_refusal_shows_no_constant_of_the_condition() -> None:
    with pytest.raises(ValueError, match="quotes") as caught:
        old_condition(parse_condition('name = "can\'ary"'))
    assert "ary" not in str(caught.value)


NUMBERS = st.builds(
    Comparison,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.just(Column("age")),
    st.builds(Literal, st.sampled_from([17, 18.0, -1, 10**6])),
)
TEXTS = st.builds(
    Comparison,
    st.sampled_from(["=", "!="]),
    st.just(Column("first name")),
    st.builds(Literal, st.sampled_from(["Alice", "日本", ""])),
)
LEAVES = (
    NUMBERS
    | TEXTS
    | st.just(Truth(Column("vip")))
    | st.just(In(Column("age"), (Literal(17), Literal(30))))
    | st.just(Comparison("=", Column("vip"), Literal(False)))
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Not, inner) | st.builds(And, st.tuples(inner, inner)) | st.builds(Or, st.tuples(inner, inner, inner))
    ),
    max_leaves=6,
)


@given(CONDITIONS)
def test_pandas_drops_the_rows_that_we_drop(condition: Condition) -> None:
    kept = FRAME.query(f"~({old_condition(condition)})")  # as Cape's client does it
    dropped = two_valued(condition).mask(pa.RecordBatch.from_pandas(FRAME, preserve_index=False)).to_pylist()
    assert list(kept.index) == [row for row, drop in enumerate(dropped) if not drop]
