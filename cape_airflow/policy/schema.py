"""JSON Schema of policies, for editors: completion, descriptions and errors while typing."""

from __future__ import annotations

from typing import Any

from cape_airflow.transformations import KeyReference, Technique, techniques

_KEY: dict[str, Any] = {
    "description": "The key to use, by name: {ref: NAME}. Version 1 also takes the key itself; better not.",
    "anyOf": [
        {
            "type": "object",
            "properties": {"ref": {"type": "string", "minLength": 1}},
            "required": ["ref"],
            "additionalProperties": False,
        },
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"type": {"const": "secret"}, "name": {"type": "string"}, "value": {"type": "string"}},
            "required": ["type", "value"],
            "additionalProperties": False,
        },
    ],
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of policies of version 1 and 2, every technique with its parameters."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cape policy",
        "type": "object",
        "required": ["rules"],
        "additionalProperties": False,
        "properties": {
            "label": _text("Name of the policy."),
            "version": {"enum": [1, 2], "default": 1, "description": "1 is Cape's language; 2 adds to it."},
            "id": _text("Version 1: id of the policy in a coordinator."),
            "domain": _text("Version 2: pseudonymisation domain. Tokens join inside it, never across."),
            "default": {
                "enum": ["fail", "drop", "keep"],
                "description": "What happens to a column that no rule is about. Version 2 fails unless told otherwise.",
            },
            "rules": {"type": "array", "minItems": 1, "items": _rule()},
            "transformations": {"type": "array", "items": _named()},
            "guarantees": {"type": "array", "items": _GUARANTEE},
        },
        "$defs": {name: _technique(kind) for kind in techniques().values() for name in (kind.type, *kind.aliases)},
    }


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _names(description: str) -> dict[str, Any]:
    items = {"type": "string", "minLength": 1}
    return {"description": description, "anyOf": [items, {"type": "array", "items": items, "minItems": 1}]}


def _rule() -> dict[str, Any]:
    kinds = {
        "name": "Exact column name, or several.",
        "pattern": "Glob over column names, e.g. *_ssn.",
        "tag": "Tag of the column, e.g. user.contact.email.",
        "dtype": "Type, e.g. timestamp or int64.",
    }
    match = {"optional": {"type": "boolean", "description": "The rule may match no column."}}
    match |= {kind: _names(description) for kind, description in kinds.items()}
    rule = _object(
        {
            "match": {**_object(match, []), "oneOf": [{"required": [kind]} for kind in kinds]},
            "where": _text("Rows for which this condition is true are suppressed."),
            "actions": {"type": "array", "items": _action()},
            "keep": _object({"reason": _text("Why the column may stay as it is.")}, ["reason"]),
        },
        [],
    )
    return {**rule, "anyOf": [{"required": ["match"]}, {"required": ["where"]}]}


def _action() -> dict[str, Any]:
    by_name = _object({"name": _text("Name of one of `transformations`.")}, ["name"])
    transform = {"oneOf": [by_name, *_references()]}
    bare = {"enum": ["drop", *sorted(techniques())]}
    return {"oneOf": [bare, _object({"transform": transform}, ["transform"])]}


def _references() -> list[dict[str, str]]:
    return [{"$ref": f"#/$defs/{name}"} for kind in techniques().values() for name in (kind.type, *kind.aliases)]


def _named() -> dict[str, Any]:
    name = {"type": "object", "required": ["name", "type"], "properties": {"name": _text("How rules refer to it.")}}
    types = [each for kind in techniques().values() for each in (kind.type, *kind.aliases)]
    name["properties"]["type"] = {"enum": types}  # type: ignore[index]
    return name


def _technique(kind: type[Technique]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    properties = dict(schema.get("properties", {}))
    for name, field in kind.model_fields.items():
        if KeyReference.__name__ in str(field.annotation):
            properties[name] = _KEY
    return {
        "description": (kind.__doc__ or "").strip().split("\n", 1)[0],
        **_object({"type": {"enum": [kind.type, *kind.aliases]}, **properties}, ["type", *schema.get("required", [])]),
    }


_GUARANTEE = _object(
    {
        "type": {"const": "k-anonymity"},
        "k": {"type": "integer", "minimum": 2},
        "quasi_identifiers": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    ["type", "k", "quasi_identifiers"],
)
