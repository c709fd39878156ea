from __future__ import annotations

from cape_airflow.coordinator.pages import policy_view
from cape_airflow.policy import load_policy

TEXT = """\
version: 2
default: drop
rules:
  - where: age < 18
    actions: [suppress-record]
  - match: {name: email}
    actions:
      - transform: {type: deterministic-encryption, key: {ref: mail}}
  - match: {tag: user.name}
    actions: [{transform: {type: character-mask, keep_first: 1}}, suppress-value]
  - match: {name: country}
    keep: {reason: not identifying}
guarantees:
  - {type: k-anonymity, k: 5, quasi_identifiers: [country]}
"""


def test_rules_are_told_in_their_order_with_their_lines() -> None:
    rows, email, names, country = policy_view.treatments(load_policy(TEXT))
    assert (rows.where, rows.effects, rows.line) == ("age < 18", [], 4)
    (effect,) = email.effects
    assert (effect.reversible, effect.linkable, effect.keys) == (True, True, ["mail"])
    assert (names.about, [effect.type for effect in names.effects]) == (
        "Columns tagged",
        ["character-mask", "suppress-value"],
    )
    assert (country.keep, country.effects) == ("not identifying", [])


def test_what_holds_for_the_whole_policy_stands_below() -> None:
    default, scope, promise = policy_view.footing(load_policy(TEXT))
    assert "left out" in default
    assert "without one" in scope
    assert "at least 5 rows" in promise


def test_lines_are_counted_from_one() -> None:
    assert policy_view.lines("a\nb\n") == [(1, "a"), (2, "b")]
