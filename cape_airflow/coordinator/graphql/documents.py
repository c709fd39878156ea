"""Query texts (GraphQL, October 2021) within limits.

Brackets are counted and fragments refused before anything is parsed, so that neither the parser's recursion nor what a
query costs can grow beyond what its few tokens say. No error repeats what was sent.
"""

from __future__ import annotations

from graphql import DocumentNode, GraphQLError, GraphQLSchema, Lexer, Source, TokenKind, parse, validate

from cape_airflow.coordinator.problems import Problem

MAX_TOKENS = 200
MAX_DEPTH = 8

_STEPS = {
    TokenKind.BRACE_L: 1,
    TokenKind.BRACKET_L: 1,
    TokenKind.PAREN_L: 1,
    TokenKind.BRACE_R: -1,
    TokenKind.BRACKET_R: -1,
    TokenKind.PAREN_R: -1,
}
_EMPTY_PARAMETERS = [TokenKind.NAME, TokenKind.PAREN_L, TokenKind.PAREN_R]


def read_document(text: str, schema: GraphQLSchema) -> DocumentNode:
    """Return the query as a tree that fits the schema.

    Cape's clients send ``query Me() {``, which is no GraphQL (section 2.10: one variable at least); an operation with
    empty parentheses is read as one without.

    Raises:
        Problem: 400 ``bad-query`` where it is no GraphQL, asks for what there is not, or is beyond the limits.
    """
    try:
        document = parse(_without_empty_parameters(text))
    except GraphQLError as error:
        raise _bad(error, "this is not GraphQL") from None
    for unfit in validate(schema, document, max_errors=1):
        raise _bad(unfit, "this is nothing that the coordinator answers to clients of Cape")
    return document


def bad_query(message: str) -> Problem:
    """Return the 400 for a query that cannot be answered."""
    return Problem(400, "bad-query", message)


def _without_empty_parameters(text: str) -> str:
    """Check the limits, and blank out empty parentheses after the name of an operation; places stay what they are."""
    lexer = Lexer(Source(text))
    depth, count, named, previous = 0, 0, lexer.token, lexer.token
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        depth, count = depth + _STEPS.get(token.kind, 0), count + 1
        if count > MAX_TOKENS or depth > MAX_DEPTH:
            raise bad_query(f"a query has at most {MAX_TOKENS} tokens, in {MAX_DEPTH} levels of brackets")
        if token.kind is TokenKind.SPREAD:
            raise bad_query("fragments are not taken here; write the fields out")
        if depth == 0 and [each.kind for each in (named, previous, token)] == _EMPTY_PARAMETERS:
            text = text[: previous.start] + " " * (token.end - previous.start) + text[token.end :]
        named, previous = previous, token
    return text


def _bad(error: GraphQLError, message: str) -> Problem:
    place = error.locations[0] if error.locations else None
    return bad_query(f"line {place.line}, column {place.column}: {message}" if place else message)
