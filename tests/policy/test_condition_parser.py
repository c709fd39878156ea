from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import PolicyError, SchemaMismatch
from cape_airflow.policy.condition_parser import parse_condition

BATCH = pa.record_batch(
    {
        "a": pa.array([1, 2, 3, None]),
        "c": pa.array([1, 5, 2, 9]),
        "b": pa.array(["x", "y", None, "z"]),
        "flag": pa.array([True, False, None, True]),
        "Zip Code": pa.array(["10115", "75001", None, "1011"]),
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # SQL
        ("a < 3 or flag = false", [0, 1]),
        ("b in ('x', 'z')", [0, 3]),
        ("a not in (1, 2)", [2]),
        ("a is null", [3]),
        ("b is not null and a > 1", [1]),
        ("a between 2 and 3", [1, 2]),
        ("not a between 1 and 2", [2]),
        ("`Zip Code` like '101%'", [0, 3]),
        ("a <> 2", [0, 2]),
        ("flag", [0, 3]),
        ("not flag", [1]),
        ("flag is true", [0, 3]),
        ("flag is not true", [1, 2]),
        ("a > c", [2]),
        ("2 < a", [2]),
        ("a >= 1.5", [1, 2]),
        ("c = -1 or c = 5", [1]),
        # pandas
        ("a == 2 and b == 'y'", [1]),
        ('a > 1 & b == "y"', [1]),
        ('b == "x" | ~(c in [1, 5, 9])', [0, 2]),
        ("c != 5", [0, 2, 3]),
    ],
)
def test_both_styles_mean_the_same_rows(text: str, rows: list[int]) -> None:
    mask = parse_condition(text).mask(BATCH)
    assert mask.null_count == 0
    assert [row for row, hit in enumerate(mask.to_pylist()) if hit] == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a =",
        "'x",
        "a = 1; drop table x",
        "a = 1 -- comment",
        "a = 1 /* c */",
        "a in (select 1)",
        "a = (select max(a) from t)",
        "f(a) = 1",
        "lower(b) = 'x'",
        "a = @pd.compat",
        "a.b = 1",
        "a = cast(1 as int)",
        "a = date '2020-01-01'",
        "a = 0x1F",
        "a = x'ff'",
        "a = ?",
        "a = :name",
        "a = None",
        "a = null",
        "a in (1, null)",
        "1 < a < 5",
        "1 = 1",
        "true",
        "a = 1 or 1 = 1",
        "a = 1 union select 1",
        "a + 1 = 2",
        "~flag",
        "a <=> 1",
        "a between symmetric 3 and 1",
        "case when a = 1 then true end",
        "a = 1e999",
        "b like a",
        "a is b",
        "exists (select 1)",
        "(" * 60 + "a = 1" + ")" * 60,
        "a = 1 or " * 1000 + "a = 1",
    ],
)
def test_what_is_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("aa = 1", "did you mean `a`"),
        ("A = 1", "did you mean `a`"),
        ("a = 'x'", "text that does not fit"),
        ("b = 1", "number that does not fit"),
        ("flag = 1", "number that does not fit"),
        ("a = true", "boolean that does not fit"),
        ("a = 99999999999999999999", "number that does not fit"),
        ("a = b", "`b` (string)"),
        ("a like 'x'", "LIKE needs text"),
        ("a", "as if it were boolean"),
    ],
)
def test_a_condition_that_does_not_fit_the_data_is_refused(text: str, words: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        parse_condition(text).check(BATCH.schema)
    assert words in str(caught.value)


@given(st.text(alphabet=st.sampled_from("ab12 =<>()'\"`&|~!,.[]-+*/@;notinlkebw"), max_size=40))
def test_any_text_gives_a_condition_or_a_policy_error(text: str) -> None:
    try:
        condition = parse_condition(text)
    except PolicyError:
        return
    assert condition.columns()
