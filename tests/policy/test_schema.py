from __future__ import annotations

import pytest
import yaml
from jsonschema import Draft202012Validator

from cape_airflow.policy import json_schema, load_policy
from cape_airflow.transformations import techniques

VALIDATOR = Draft202012Validator(json_schema())


def test_the_schema_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "rules: [{match: {name: a}, actions: [drop, {transform: {name: t}}]}]\n"
        "transformations: [{name: t, type: tokenizer, key: {type: secret, name: k, value: AAAA}}]",
        "{version: 2, default: drop, rules: [{match: {name: [a, b]}, keep: {reason: x}}, "
        "{where: a < 5, actions: [suppress-record]}, "
        "{match: {tag: x, optional: true}, actions: [{transform: {type: keyed-hash, key: {ref: k}}}]}], "
        "guarantees: [{type: k-anonymity, k: 5, quasi_identifiers: [a]}]}",
        "{version: 2, rules: [{match: {pattern: '*_date'}, actions: [{transform: {type: add-noise, min: -9, max: 9, "
        "unit: day, consistent: true, key: {ref: k}, subject: patient}}]}]}",
    ],
)
def test_what_the_loader_takes_validates(text: str) -> None:
    load_policy(text)
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"rules": []},
        {"rules": [{"actions": ["drop"]}]},
        {"rules": [{"match": {"name": "a"}, "actions": ["nope"]}]},
        {"rules": [{"match": {"name": "a"}, "actions": [{"transform": {"type": "round", "precisoin": 1}}]}]},
        {"rules": [{"match": {"name": "a", "tag": "b"}, "actions": ["drop"]}]},
    ],
)
def test_wrong_policies_do_not(wrong: object) -> None:
    assert not VALIDATOR.is_valid(wrong)


def test_every_technique_and_alias_is_there() -> None:
    names = {name for kind in techniques().values() for name in (kind.type, *kind.aliases)}
    assert names == set(json_schema()["$defs"])
