from __future__ import annotations

from typing import ClassVar

import pytest

from cape_airflow.coordinator.pages import wording
from cape_airflow.policy import load_policy
from cape_airflow.transformations import Family, create
from cape_airflow.transformations.base import Example, Technique
from cape_airflow.transformations.registry import BUILT_IN


@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_technique_of_ours_is_said_in_plain_words(kind: type[Technique]) -> None:
    said = wording.words(kind)
    assert said.title != kind.type
    assert not said.effect.endswith(".")
    assert kind.family in wording.FAMILIES


def test_a_technique_of_a_package_speaks_by_the_first_line_of_its_docstring() -> None:
    class Reverse(Technique):
        """Write the value backwards.

        Not given: anything.
        """

        type: ClassVar[str] = "reverse"
        family: ClassVar[Family] = Family.SUPPRESSION
        example: ClassVar[Example] = Example("a", "a")

    assert wording.words(Reverse) == wording.Words("reverse", "changed: Write the value backwards")


def test_only_what_the_policy_sets_is_shown_and_keys_by_their_name() -> None:
    technique = create({"type": "keyed-hash", "key": {"ref": "customer"}, "length": 20, "lossy": True})
    assert wording.settings(technique) == [("key", "customer"), ("length", "20"), ("lossy", "yes")]


def test_a_policy_says_what_becomes_of_the_rest_and_where_tokens_join() -> None:
    policy = load_policy("version: 2\ndomain: d\nrules:\n  - match: {name: [a, b]}\n    actions: [drop]\n")
    assert "“d”" in wording.scope(policy)
    assert wording.about(policy.rules[0].columns) == "Columns"
    assert wording.titles(["round", "suppress-value"]) == "Rounding, then Value suppression"
