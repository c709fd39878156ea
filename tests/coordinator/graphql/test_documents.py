"""Query texts within limits."""

from __future__ import annotations

from contextlib import suppress

import pytest
from graphql import build_schema, print_ast
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.coordinator.graphql.documents import MAX_DEPTH, MAX_TOKENS, read_document
from cape_airflow.coordinator.problems import Problem

SCHEMA = build_schema("type Query { me(a: Int): Query id: String! } type Mutation { me: Query }")
CANARY = "canary5d1f"


def refusal(text: str) -> str:
    with pytest.raises(Problem) as caught:
        read_document(text, SCHEMA)
    assert caught.value.code == "bad-query"
    return str(caught.value.detail)


@pytest.mark.parametrize("head", ["query Me()", "query Me ( )", "query Me(,)", "query Me( # nothing\n )", "query Me"])
def test_an_operation_with_empty_parentheses_is_read_as_one_without(head: str) -> None:
    document = read_document(head + " { me { id } }", SCHEMA)
    assert print_ast(document) == print_ast(read_document("query Me { me { id } }", SCHEMA))


@pytest.mark.parametrize("text", ["{ me() { id } }", "{ me( ) { id } }", "() { me { id } }", "query () () { id }"])
def test_empty_parentheses_are_tolerated_nowhere_else(text: str) -> None:
    assert "GraphQL" in refusal(text)


def test_places_in_errors_are_those_of_the_text_that_was_sent() -> None:
    assert refusal("query Me(   ) { nothing }").startswith("line 1, column 17:")


@pytest.mark.parametrize("text", ["", "{", "query", "{ id", '{ id(a: """) }', "\ud800", "{ id } }", "é", "#"])
def test_what_is_no_graphql_is_refused(text: str) -> None:
    assert "GraphQL" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{{ {CANARY} }}",
        f"{{ me(a: {CANARY}) {{ id }} }}",
        f'{{ me(a: "{CANARY}") {{ id }} }}',
        f"{{ me({CANARY}: 1) {{ id }} }}",
        f"query ($a: {CANARY}) {{ me(a: $a) {{ id }} }}",
        f"{{ me(a: ${CANARY}) {{ id }} }}",
        f"{{ id @{CANARY} }}",
        f"{{ id {CANARY}!",
        "subscription { id }",
    ],
)
def test_S3_no_refusal_repeats_what_was_sent(text: str) -> None:
    assert CANARY not in refusal(text)


def test_fragments_are_refused() -> None:
    assert "fragments" in refusal("{ ...F } fragment F on Query { id }")
    assert "fragments" in refusal("{ ... on Query { id } }")


def nested(levels: int) -> str:
    return "{me" * (levels - 1) + "{id" + "}" * levels


def test_A12_depth_is_limited_before_anything_is_parsed() -> None:
    assert read_document(nested(MAX_DEPTH), SCHEMA)
    assert "levels" in refusal(nested(MAX_DEPTH + 1))
    assert "levels" in refusal("{me" * 100_000)
    assert "levels" in refusal("{me(a:" + "[" * 100_000)


def test_A12_the_number_of_tokens_is_limited() -> None:
    assert read_document("{" + "id " * (MAX_TOKENS - 2) + "}", SCHEMA)
    assert "tokens" in refusal("{" + "id " * (MAX_TOKENS - 1) + "}")
    assert "tokens" in refusal("{ id " + "query Me() " * 10_000)


@given(st.text(max_size=60) | st.text(alphabet="{}()[]:$!@#\"' ,.me id", max_size=60))
def test_any_text_is_a_document_or_a_refusal(text: str) -> None:
    with suppress(Problem):
        assert read_document(text, SCHEMA).definitions
