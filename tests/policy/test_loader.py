from __future__ import annotations

import base64
import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import PolicyError
from cape_airflow.policy import load_policy
from cape_airflow.policy.model import Match

VERSION_1 = """
label: credit_policy
version: 1
transformations:
  - name: tokens
    type: tokenizer
    max_token_len: 10
    key: {type: secret, name: my-key, value: BASE}
rules:
  - match:
      name: Name
    actions:
      - transform:
          name: tokens
  - match: {name: Age}
    actions:
      - transform: {type: numeric-perturbation, dtype: Integer, min: -5, max: 5}
  - match: {name: City}
    actions:
      - drop
"""

VERSION_2 = """
label: customers
version: 2
domain: analytics
default: drop
rules:
  - match: {name: email}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {name: [first_name, last_name], optional: true}
    actions: [drop]
  - match: {pattern: "*_ssn"}
    actions:
      - transform: {type: suppress-value}
  - match: {tag: user.contact.email}
    actions: [suppress-attribute]
  - match: {name: country}
    keep: {reason: not identifying at country level}
  - where: age < 18 or consent = false
    actions: [suppress-record]
guarantees:
  - {type: k-anonymity, k: 5, quasi_identifiers: [country]}
"""


def test_capes_own_language_is_read_as_it_is() -> None:
    policy = load_policy(VERSION_1)
    assert (policy.label, policy.version, policy.default) == ("credit_policy", 1, "keep")
    assert [rule.columns for rule in policy.rules] == [
        Match("name", ("Name",)),
        Match("name", ("Age",)),
        Match("name", ("City",)),
    ]
    assert [action.technique.type for rule in policy.rules for action in rule.actions] == [
        "tokenizer",
        "numeric-perturbation",
        "suppress-attribute",
    ]


def test_a_version_1_secret_is_base64url_and_stays_out_of_the_document() -> None:
    policy = load_policy(VERSION_1)
    [name] = policy.inline_keys().names()
    key = policy.inline_keys().get(name)
    assert key is not None
    assert key.version(1).reveal() == bytes.fromhex("040484")
    assert "BASE" not in repr(policy)
    assert "BASE" not in str(policy.document)


def test_a_version_1_key_in_an_action_is_its_utf8_text() -> None:
    text = "rules: [{match: {name: a}, actions: [{transform: {type: tokenizer, key: ключ}}]}]"
    policy = load_policy(text)
    [name] = policy.inline_keys().names()
    key = policy.inline_keys().get(name)
    assert key is not None
    assert key.version(1).reveal() == "ключ".encode()
    assert "ключ" not in repr(policy)


def test_json_and_defaults_are_taken() -> None:
    policy = load_policy('{"rules": [{"match": {"name": "a"}, "actions": ["drop"]}], "transformations": []}')
    assert (policy.label, policy.version) == ("", 1)


def test_version_2_is_read() -> None:
    policy = load_policy(VERSION_2)
    assert (policy.domain, policy.default) == ("analytics", "drop")
    kinds = [rule.match.kind if rule.match else "where" for rule in policy.rules]
    assert kinds == ["name", "name", "pattern", "tag", "name", "where"]
    assert policy.rules[1].columns.optional
    assert policy.rules[4].keep == "not identifying at country level"
    assert policy.rules[5].where is not None
    assert policy.guarantees[0].quasi_identifiers == ("country",)
    assert policy.inline_keys().names() == ()


def _rule(rule: str, version: int = 2) -> str:
    return f"version: {version}\nrules:\n  - {rule}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- a", 1, "a policy is a mapping"),
        ("version: 3\nrules: []", 1, "`version` is 1"),
        ("version: true\nrules: []", 1, "`version` is 1"),
        ("version: '2'\nrules: []", 1, "`version` is 1"),
        ("label: x", 1, "no `rules`"),
        ("rules: []", 1, "at least one rule"),
        ("rules:", 1, "`rules` is a list"),
        ("rulez: []", 1, "did you mean `rules`"),
        ("label: 5\nrules: [{match: {name: a}, actions: [drop]}]", 1, "`label` is text"),
        ("domain: x\nrules: [{match: {name: a}, actions: [drop]}]", 1, "a version 1 policy has no `domain`"),
        ("version: 2\ndefault: pass\nrules: [{match: {name: a}, actions: [drop]}]", 2, "fail, drop or keep"),
        (_rule("drop"), 3, "a rule is a mapping"),
        (_rule("{actions: [drop]}"), 3, "needs `match`"),
        (_rule("{match: {name: a}}"), 3, "either `actions` or `keep"),
        (_rule("{match: {name: a}, actions: [drop], keep: {reason: x}}"), 3, "either `actions` or `keep"),
        (_rule("{match: {name: a}, keep: {reason: ' '}}"), 3, "needs a reason"),
        (_rule("{match: {name: a}, action: [drop]}"), 3, "did you mean `actions`"),
        (_rule("{match: {}, actions: [drop]}"), 3, "exactly one of"),
        (_rule("{match: {name: a, tag: b}, actions: [drop]}"), 3, "exactly one of"),
        (_rule("{match: {name: []}, actions: [drop]}"), 3, "is empty"),
        (_rule("{match: {name: ''}, actions: [drop]}"), 3, "is empty"),
        (_rule("{match: {name: 5}, actions: [drop]}"), 3, "is text"),
        (_rule("{match: {name: a, optional: 'yes'}, actions: [drop]}"), 3, "true or false"),
        (_rule("{match: {nam: a}, actions: [drop]}"), 3, "did you mean `name`"),
        (_rule("{match: {name: a}, actions: drop}"), 3, "`actions` is a list"),
        (_rule("{match: {name: a}, actions: [Drop]}"), 3, "no technique `Drop`"),
        (_rule("{match: {name: a}, actions: [5]}"), 3, "an action is `drop`"),
        (_rule("{match: {name: a}, actions: [{transfrom: {type: round}}]}"), 3, "an action is `drop`"),
        (_rule("{match: {name: a}, actions: [{transform: {}}]}"), 3, "needs `type`"),
        (_rule("{match: {name: a}, actions: [{transform: {type: round, name: x}}]}"), 3, "not both"),
        (_rule("{match: {name: a}, actions: [{transform: {name: x}}]}"), 3, "no `x` in `transformations`"),
        (
            _rule("{match: {name: a}, actions: [{transform: {type: key-hash, key: {ref: k}}}]}"),
            3,
            "did you mean `keyed-hash`",
        ),
        (_rule("{match: {name: a}, actions: [{transform: {type: round, precison: 1}}]}"), 3, "precis"),
        (_rule("{match: {name: a}, actions: [{transform: {type: round, precision: x}}]}"), 3, "precision"),
        (_rule("{match: {name: a}, actions: [{transform: {type: round, precision: true}}]}"), 3, "precision"),
        (_rule("{match: {name: a}, actions: [{transform: {type: keyed-hash, key: secret}}]}"), 3, "name the key"),
        (
            _rule("{match: {name: a}, actions: [{transform: {type: keyed-hash, key: {ref: 'inline:x'}}}]}"),
            3,
            "does not begin",
        ),
        (_rule("{where: 'a <', actions: [suppress-record]}"), 3, "cannot be read"),
        (_rule("{where: 5, actions: [suppress-record]}"), 3, "condition in quotes"),
        (_rule("{where: 'a < 5', actions: [drop]}"), 3, "`actions: [suppress-record]`"),
        (_rule("{where: 'a < 5', match: {name: a}, actions: [suppress-record]}"), 3, "is about rows"),
        (_rule("{where: 'a < 5', actions: [suppress-record]}", version=1), 3, "version: 2"),
        (_rule("{match: {name: [a, b]}, actions: [drop]}", version=1), 3, "is text"),
        (_rule("{match: {pattern: 'a*'}, actions: [drop]}", version=1), 3, "no `pattern`"),
        (_rule("{match: {name: a}, actions: [suppress-value]}", version=1), 3, "an action is `drop`"),
        (_rule("{match: {name: a}, actions: [{transform: {type: tokenizer, key: ''}}]}", version=1), 3, "empty"),
        (
            _rule("{match: {name: a}, actions: [{transform: {type: tokenizer, key: {type: secret}}}]}", version=1),
            3,
            "`value`",
        ),
        (
            _rule("{match: {name: a}, actions: [{transform: {type: row-redact, condition: '@os'}}]}", version=1),
            3,
            "condition",
        ),
        (_rule("{match: {name: a}, actions: [drop]}") + "transformations: [{name: x}]", 4, "has `name` and `type`"),
        (_rule("{match: {name: a}, actions: [drop]}") + "guarantees: [{type: l-diversity}]", 4, "k-anonymity"),
        (_rule("{match: {name: a}, actions: [drop]}") + "guarantees: [{type: k-anonymity, k: 1}]", 4, "`k` is"),
        (_rule("{match: {name: a}, actions: [drop]}") + "guarantees: [{type: k-anonymity, k: 2}]", 4, "quasi"),
    ],
)
def test_a_wrong_policy_is_refused_where_it_is_wrong(text: str, line: int, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(text, "customers.yaml")
    error = caught.value
    assert words in error.message
    assert error.location is not None
    assert (error.location.line, error.location.file) == (line, "customers.yaml")
    assert str(error).startswith(f"customers.yaml:{line}:")


def test_an_error_never_shows_a_key() -> None:
    canary = base64.urlsafe_b64encode(b"canary-key-material-000").decode()
    for wrong in (f"key: {canary}, max_token_len: x", f"key: {{type: secret, name: k, value: {canary}, more: 1}}"):
        text = f"rules: [{{match: {{name: a}}, actions: [{{transform: {{type: tokenizer, {wrong}, no: 1}}}}]}}]"
        with pytest.raises(PolicyError) as caught:
            load_policy(text)
        assert canary not in str(caught.value)
        assert caught.value.__cause__ is None


def test_named_transformations_stand_once() -> None:
    text = "transformations: [{name: x, type: suppress-value}, {name: x, type: suppress-value}]\nrules: []"
    with pytest.raises(PolicyError, match="twice"):
        load_policy(text)


@given(st.integers(0, 2**32), st.sampled_from([VERSION_1, VERSION_2]))
def test_a_mutated_policy_is_read_or_refused_and_nothing_else(seed: int, text: str) -> None:
    chooser = random.Random(seed)
    characters = list(text)
    for _ in range(chooser.randint(1, 8)):
        place = chooser.randrange(len(characters))
        action = chooser.randrange(3)
        if action == 0:
            del characters[place]
        elif action == 1:
            characters.insert(place, chooser.choice("{}[]:,-&*!'\"#|> \n\tabc019~%@`\x00é"))
        else:
            characters[place] = chooser.choice(characters)
    with contextlib.suppress(PolicyError):
        load_policy("".join(characters))
