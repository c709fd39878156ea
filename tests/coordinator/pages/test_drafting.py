from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cape_airflow.coordinator.pages.drafting import KEEP, ColumnDraft, Draft, column_names, draft_from_form
from cape_airflow.coordinator.pages.drafting import draft_from_policy as drafted
from cape_airflow.coordinator.pages.sample import SAMPLE
from cape_airflow.policy import load_policy

NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1).map(str.strip).filter(bool)
COLUMNS = st.one_of(
    st.builds(ColumnDraft, NAMES, st.just(KEEP), NAMES),
    st.builds(ColumnDraft, NAMES, st.just("suppress-attribute"), given=st.just({})),
    st.builds(ColumnDraft, NAMES, st.just("round"), given=st.builds(dict, precision=st.integers(-9, 9).map(str))),
    st.builds(ColumnDraft, NAMES, st.just("keyed-hash"), given=st.builds(dict, key=NAMES)),
)
DRAFTS = st.builds(
    Draft,
    label=NAMES,
    domain=NAMES,
    default=st.sampled_from(["fail", "drop", "keep"]),
    columns=st.lists(COLUMNS, min_size=1, max_size=6, unique_by=lambda column: column.name).map(tuple),
    rows=st.lists(st.sampled_from(["age < 18", "consent = false"]), max_size=1).map(tuple),
)


@given(DRAFTS)
@example(Draft("1e3", "0", "fail", (ColumnDraft("0E1", KEEP, "2e-1"), ColumnDraft("null", KEEP, "true"))))
def test_every_draft_makes_a_policy_that_says_just_that(draft: Draft) -> None:
    again = drafted(load_policy(draft.text()))
    assert again is not None
    plain = {column.name: (column.treatment, column.reason, dict(column.given or {})) for column in draft.columns}
    assert {each.name: (each.treatment, each.reason, dict(each.given or {})) for each in again.columns} == plain
    assert (again.label, again.domain, again.default, again.rows) == (
        draft.label,
        draft.domain,
        draft.default,
        draft.rows,
    )


def test_the_sample_makes_a_policy_that_groups_columns_of_one_treatment() -> None:
    policy = load_policy(SAMPLE.text())
    assert policy.rules[0].columns.values == ("customer_id", "email")
    assert [key.ref for rule in policy.rules for action in rule.actions for key in action.technique.key_references()]


def test_quasi_identifiers_and_the_smallest_group_make_a_guarantee() -> None:
    columns = (ColumnDraft("age", "round", given={"precision": "-1"}, quasi=True), ColumnDraft("zip", KEEP, "needed"))
    (guarantee,) = load_policy(Draft(columns=columns, k="5").text()).guarantees
    assert (guarantee.k, guarantee.quasi_identifiers) == (5, ("age",))


def test_columns_without_a_decision_are_not_written_but_named() -> None:
    draft = Draft(columns=(ColumnDraft("a", KEEP, "public"), ColumnDraft("b")))
    assert draft.undecided == ["b"]
    assert [rule.columns.values for rule in load_policy(draft.text()).rules] == [("a",)]


@pytest.mark.parametrize(
    "beyond",
    [
        "rules:\n  - match: {pattern: '*_id'}\n    actions: [drop]",
        "rules:\n  - match: {name: a, optional: true}\n    actions: [drop]",
        "rules:\n  - match: {name: a}\n    actions: [{transform: {type: round, precision: 1}}, suppress-value]",
        "rules:\n  - match: {name: a}\n    actions: [{transform: {type: suppress-attribute, columns: [b]}}]",
    ],
)
def test_a_policy_that_says_more_than_the_form_is_not_cut_down_to_it(beyond: str) -> None:
    assert drafted(load_policy(f"version: 2\n{beyond}\n")) is None


def test_policies_of_version_1_are_left_to_their_text() -> None:
    assert drafted(load_policy("rules:\n  - match: {name: a}\n    actions: [drop]\n")) is None


@pytest.mark.parametrize(
    ("pasted", "names"),
    [
        ("email\nage\r\n", ["email", "age"]),
        ('"email","full name",age', ["email", "full name", "age"]),
        ("email;age\tzip|x", ["email", "age", "zip", "x"]),
        ("  \n,,", []),
    ],
)
def test_names_are_taken_from_lines_and_from_the_head_of_a_file(pasted: str, names: list[str]) -> None:
    assert column_names(pasted) == names


def test_a_form_holds_the_columns_in_their_order_without_the_one_that_is_taken_out() -> None:
    form = {
        "c10.name": ["last"],
        "c2.name": ["first"],
        "c2.do": ["round"],
        "c2.p.precision": ["-2"],
        "c3.name": ["gone"],
        "without": ["gone"],
        "rows": ["a = 1\n\n b = 2 "],
    }
    draft = draft_from_form(form)
    assert [column.name for column in draft.columns] == ["first", "last"]
    assert draft.columns[0].given == {"precision": "-2"}
    assert draft.rows == ("a = 1", "b = 2")
