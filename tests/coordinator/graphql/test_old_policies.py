"""Policies in the shape that Cape's clients run."""

from __future__ import annotations

import json

import pytest

from cape_airflow.coordinator.graphql.old_policies import OldPolicy, old_policy
from cape_airflow.coordinator.problems import Problem
from cape_airflow.keys import Secret
from cape_airflow.policy import load_policy
from cape_airflow.transformations import techniques

KEY = Secret(b"5" * 32)
WRITTEN = "NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU"


def no_material(name: str, reveals: bool) -> Secret:
    raise AssertionError(f"{name} was asked for")


def rule(*actions: str, name: str = "a") -> str:
    return f"rules:\n- match: {{name: {name}}}\n  actions:\n" + "".join(f"  - {action}\n" for action in actions)


def translated(*actions: str) -> list[object]:
    """The actions of a policy without keys, in Cape's shape."""
    old = old_policy(load_policy(rule(*actions)), no_material)
    assert old.transformations == []
    [only] = old.rules
    assert only["match"] == {"name": "a"}
    return list(only["actions"])


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        ("drop", [{"type": "column-redact", "columns": ["a"]}]),
        (
            "transform: {type: column-redact, columns: [b, c]}",
            [{"type": "column-redact", "columns": ["b"]}, {"type": "column-redact", "columns": ["c"]}],
        ),
        ("transform: {type: row-redact, condition: 'b > 2 or c'}", [
            {"type": "row-redact", "condition": "((`b` > 2) or (`c` == True))"}
        ]),
        ("transform: {type: tokenizer}", [{"type": "tokenizer"}]),
        ("transform: {type: tokenizer, max_token_len: 10}", [{"type": "tokenizer", "max_token_len": 10}]),
        (
            "transform: {type: numeric-rounding, dtype: Integer, precision: -3}",
            [{"type": "numeric-rounding", "dtype": "Integer", "precision": -3}],
        ),
        (
            "transform: {type: numeric-perturbation, dtype: Integer, min: -10, max: 10, seed: 4984}",
            [{"type": "numeric-perturbation", "dtype": "Integer", "min": -10, "max": 10, "seed": 4984}],
        ),
        ("transform: {type: date-truncation, frequency: MONTH}", [{"type": "date-truncation", "frequency": "month"}]),
        (
            "transform: {type: date-pertubation, frequency: [year, Months, DAY, hour, minute, second], "
            "min: [-1, -2, -3, -4, -5, -6], max: [1, 2, 3, 4, 5, 6]}",
            [
                {
                    "type": "date-perturbation",
                    "frequency": ["YEAR", "MONTH", "DAY", "HOUR", "minutes", "seconds"],
                    "min": [-1, -2, -3, -4, -5, -6],
                    "max": [1, 2, 3, 4, 5, 6],
                }
            ],
        ),
    ],
    ids=str,
)  # fmt: skip
def test_an_action_is_sent_in_the_only_spelling_that_every_client_knows(action: str, sent: list[object]) -> None:
    assert translated(action) == [{"transform": each} for each in sent]


def test_actions_and_rules_keep_their_order() -> None:
    text = rule("drop", name="b") + rule("transform: {type: tokenizer}", "drop").removeprefix("rules:\n")
    old = old_policy(load_policy(text), no_material)
    assert [each["match"]["name"] for each in old.rules] == ["b", "a"]
    assert [each["transform"]["type"] for each in old.rules[1]["actions"]] == ["tokenizer", "column-redact"]


@pytest.mark.parametrize(
    ("kind", "reveals", "more"),
    [
        ("tokenizer", False, {"max_token_len": 10}),
        ("reversible-tokenizer", False, {"encoding": "utf-8"}),
        ("token-reverser", True, {"encoding": "utf-8"}),
    ],
)
def test_a_key_travels_in_a_named_transformation_where_clients_look_for_it(
    kind: str, reveals: bool, more: dict[str, object]
) -> None:
    asked = []

    def material(name: str, to_reveal: bool) -> Secret:
        asked.append((name, to_reveal))
        return KEY

    length = ", max_token_len: 10" if kind == "tokenizer" else ""
    action = f"transform: {{type: {kind}, key: {{ref: customer-id}}{length}}}"
    old = old_policy(load_policy(rule(action, action)), material)
    assert asked == [("customer-id", reveals)] * 2
    secret = {"type": "secret", "name": "customer-id", "value": WRITTEN}
    names = ["transformation-1", "transformation-2"]
    assert old.transformations == [{"name": name, "type": kind, **more, "key": secret} for name in names]
    assert old.rules[0]["actions"] == [{"transform": {"name": name}} for name in names]
    json.dumps([old.rules, old.transformations])


def test_S2_what_holds_keys_does_not_show_them() -> None:
    old = OldPolicy(transformations=[{"key": {"value": WRITTEN}}])
    assert WRITTEN not in repr(old)


def test_a_named_transformation_without_a_key_is_written_out_where_it_is_used() -> None:
    text = "transformations:\n- {name: rough, type: numeric-rounding, dtype: Integer, precision: -3}\n" + rule(
        "transform: {name: rough}", "transform: {name: rough}"
    )
    old = old_policy(load_policy(text), no_material)
    rough = {"transform": {"type": "numeric-rounding", "dtype": "Integer", "precision": -3}}
    assert old.rules[0]["actions"] == [rough, rough]


def refusal(text: str) -> str:
    with pytest.raises(Problem) as caught:
        old_policy(load_policy(text), no_material)
    assert (caught.value.status_code, caught.value.code) == (409, "not-for-old-clients")
    return str(caught.value.detail)


@pytest.mark.parametrize("default", ["fail", "drop", "keep"])
def test_no_policy_of_version_2_is_served_not_even_one_that_looks_like_version_1(default: str) -> None:
    assert "version 2" in refusal(f"version: 2\ndefault: {default}\n" + rule("drop"))


def test_a_technique_that_old_clients_do_not_know_is_refused_with_its_place() -> None:
    message = refusal(rule("drop", "transform: {type: keyed-hash, key: {ref: k}}"))
    assert "rules[0].actions[1]" in message
    assert "`keyed-hash`" in message


def test_a_condition_that_old_clients_do_not_read_is_refused_with_its_place() -> None:
    message = refusal(rule("transform: {type: row-redact, condition: 'b is null'}"))
    assert "rules[0].actions[0]" in message


KNOWN = {
    "tokenizer", "reversible-tokenizer", "token-reverser", "numeric-perturbation", "date-perturbation",
    "numeric-rounding", "date-truncation", "suppress-attribute", "suppress-record",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(techniques()))
def test_every_technique_is_either_one_of_capes_or_refused(name: str) -> None:
    technique = techniques()[name]
    example = {key: value for key, value in technique.example.parameters.items() if key != "columns"}
    action = f"transform: {json.dumps({'type': name} | example)}"
    if name not in KNOWN:
        refusal(rule(action))
    else:
        assert old_policy(load_policy(rule(action)), lambda _name, _reveals: KEY).rules[0]["actions"]
