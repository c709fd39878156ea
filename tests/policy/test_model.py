from __future__ import annotations

import pickle

import pytest

from cape_airflow.policy import load_policy

PLAIN = "version: 2\nrules:\n  - match: {name: a}\n    actions:\n      - transform: {type: round, precision: 1}\n"


@pytest.mark.parametrize(
    "same",
    [
        "# a comment\n" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("{type: round, precision: 1}", "{precision: 1, type: round}"),
        PLAIN.replace("name: a", 'name: "a"'),
        PLAIN.replace("name: a", "name: [a]"),
        PLAIN.replace("version: 2", "version: 2\ndefault: fail\nlabel: ''\ntransformations: []"),
        'rules: [{actions: [{transform: {type: "round", precision: 1}}], match: {name: a}}]\nversion: 2',
        "transformations: [{name: r, type: round, precision: 1}]\n"
        + PLAIN.replace("{type: round, precision: 1}", "{name: r}"),
    ],
)
def test_d5_the_same_meaning_has_the_same_digest(same: str) -> None:
    assert load_policy(same).digest == load_policy(PLAIN).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("precision: 1", "precision: 2"),
        ("name: a", "name: A"),
        ("name: a", "pattern: a"),
        ("name: a", "name: a, optional: true"),
        ("version: 2", "version: 2\ndomain: x"),
        ("version: 2", "version: 2\ndefault: keep"),
        ("version: 2", "version: 2\nlabel: x"),
        ("version: 2", "version: 1"),
        ("type: round, precision: 1", "type: suppress-value"),
    ],
)
def test_d5_another_meaning_has_another_digest(old: str, new: str) -> None:
    changed = PLAIN.replace(old, new)
    if "version: 1" in changed:
        changed = changed.replace("round, ", "numeric-rounding, dtype: Double, ")
    assert load_policy(changed).digest != load_policy(PLAIN).digest


def test_the_digest_is_stable_across_releases() -> None:
    assert load_policy(PLAIN).digest == "5ba1ad3b1cebf1f90fc0914fcd494ad46df9ecb61102a7f04efcdf627ab4c02a"


def test_inline_keys_are_no_part_of_the_digest_and_cannot_be_pickled() -> None:
    text = "rules: [{match: {name: a}, actions: [{transform: {type: tokenizer, key: KEY}}]}]"
    one, other = load_policy(text.replace("KEY", "one")), load_policy(text.replace("KEY", "other"))
    assert one.digest == other.digest
    with pytest.raises(TypeError):
        pickle.dumps(one)
    with pytest.raises(TypeError):
        pickle.dumps(one.inline_keys())
