"""Each technique says what its results look like; they do, and its example's input does not, where results hide it."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.transformations import Transformation, create, techniques
from cape_airflow.transformations.base import Family
from cape_airflow.transformations.grammar import Grammar, literal, one_of, repeated


def _grammar(name: str) -> Grammar | None:
    technique = create({"type": name, **techniques()[name].example.parameters})
    return technique.grammar(pa.string()) if isinstance(technique, Transformation) else None


WITH_GRAMMAR = [name for name in techniques() if _grammar(name) is not None]


def _matches(pattern: str, text: str) -> bool:
    return bool(pc.match_substring_regex(pa.array([text]), rf"\A(?:{pattern})\z")[0].as_py())


@pytest.mark.parametrize("name", WITH_GRAMMAR)
def test_the_example_of_a_technique_is_of_its_grammar(name: str) -> None:
    grammar = _grammar(name)
    assert grammar is not None
    assert _matches(grammar.pattern, techniques()[name].example.output)
    keeps_its_form = name == "format-preserving-encryption"
    assert _matches(grammar.pattern, techniques()[name].example.input) is keeps_its_form


def test_techniques_whose_tokens_tell_a_key_version_have_one_key() -> None:
    for name in WITH_GRAMMAR:
        grammar = _grammar(name)
        if grammar is not None and grammar.has_version:
            technique = create({"type": name, **techniques()[name].example.parameters})
            assert len(list(technique.key_references())) == 1


def test_all_that_hides_every_value_has_a_grammar_and_what_coarsens_or_reveals_has_none() -> None:
    hiding = (Family.PSEUDONYMIZATION, Family.CRYPTOGRAPHIC, Family.SUPPRESSION)
    asked = {name for name, kind in techniques().items() if issubclass(kind, Transformation)}
    assert set(WITH_GRAMMAR) == {name for name in asked if techniques()[name].family in hiding}


@given(
    st.text(min_size=1, alphabet=st.characters(exclude_categories=("Cs",))), st.characters(exclude_categories=("Cs",))
)
def test_characters_are_matched_as_they_are(characters: str, other: str) -> None:
    assert _matches(literal(characters), characters)
    assert all(_matches(one_of(characters), each) for each in characters)
    assert _matches(one_of(characters), other) == (other in characters)


def test_what_re2_cannot_count_is_any_number() -> None:
    assert _matches(repeated("a", 1000), "a" * 1000)
    assert not _matches(repeated("a", 1000), "a" * 999)
    assert _matches(repeated("a", 1001), "a" * 7)
    assert re.fullmatch(repeated("ab", 2), "abab")
