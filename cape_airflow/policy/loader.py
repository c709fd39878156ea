"""Policy text to `Policy`. Every error says line, column and rule."""

from __future__ import annotations

from typing import cast

from cape_airflow.errors import PolicyError
from cape_airflow.policy.actions import ActionReader
from cape_airflow.policy.condition import Condition
from cape_airflow.policy.condition_parser import parse_condition
from cape_airflow.policy.model import Action, Default, Guarantee, Match, MatchKind, Policy, Rule
from cape_airflow.policy.strict_yaml import Node, check_names, read_yaml
from cape_airflow.transformations import SuppressRecord

_TOP = {1: {"label", "version", "id", "rules", "transformations"}}
_TOP[2] = _TOP[1] | {"domain", "default", "guarantees"}
_RULE = {1: {"match", "actions"}, 2: {"match", "actions", "where", "keep"}}
_MATCH: dict[int, set[str]] = {1: {"name"}, 2: {"name", "pattern", "tag", "dtype"}}
_DEFAULTS = ("fail", "drop", "keep")


def load_policy(text: str, file: str | None = None) -> Policy:
    """Read and check a policy of version 1 (Cape's) or 2.

    Args:
        text: YAML or JSON, at most 256 KB.
        file: name of the file, for error messages.

    Raises:
        PolicyError: the text is no policy; the message holds line, column, rule and the way out.
    """
    top = read_yaml(text, file)
    entries = top.entries("a policy is a mapping with `rules`")
    version = _version(entries.get("version"))
    check_names(entries, _TOP[version], "a policy" if version == 2 else "a version 1 policy")
    if "rules" not in entries:
        raise top.error("the policy has no `rules`")
    reader = ActionReader(version, entries.get("transformations"))
    nodes = _items(entries, "rules")
    if not nodes:
        raise entries["rules"].error("at least one rule must stand under `rules`")
    return Policy(
        label=_text(entries, "label"),
        version=version,
        domain=_text(entries, "domain"),
        default=_default(entries.get("default"), version),
        rules=tuple(_rule(node, version, reader) for node in nodes),
        guarantees=tuple(_guarantee(node) for node in _items(entries, "guarantees")),
        inline=reader.inline,
    )


def _version(node: Node | None) -> int:
    if node is None:
        return 1
    if node.value not in (1, 2) or isinstance(node.value, bool):
        raise node.error("`version` is 1 (Cape's language) or 2")
    return cast(int, node.value)


def _default(node: Node | None, version: int) -> Default:
    if node is None:
        return "keep" if version == 1 else "fail"
    if node.value not in _DEFAULTS:
        raise node.error("`default` is fail, drop or keep")
    return cast(Default, node.value)


def _rule(node: Node, version: int, reader: ActionReader) -> Rule:
    entries = node.entries("a rule is a mapping with `match` and `actions`")
    if version == 1 and entries.keys() & {"where", "keep"}:
        raise node.error("`where` and `keep` need `version: 2`; version 1 drops rows with `row-redact`")
    check_names(entries, _RULE[version], "a rule")
    actions = tuple(reader.read(item) for item in _items(entries, "actions"))
    if "where" in entries:
        return _row_rule(node, entries, actions)
    if "match" not in entries:
        raise node.error("a rule needs `match`" + (" or `where`" if version == 2 else ""))
    keep = _keep(entries.get("keep"))
    if version == 2 and (keep is None) == (not actions):
        raise node.error("a rule has either `actions` or `keep: {reason: ...}`")
    return Rule(node.location, match=_match(entries["match"], version), actions=actions, keep=keep)


def _row_rule(node: Node, entries: dict[str, Node], actions: tuple[Action, ...]) -> Rule:
    if entries.keys() - {"where", "actions"}:
        raise node.error("a rule with `where` is about rows: it has no `match` and no `keep`")
    if len(actions) != 1 or actions[0].technique != SuppressRecord():
        raise node.error("a rule with `where` has `actions: [suppress-record]`")
    text = entries["where"].text("`where` is a condition in quotes")
    return Rule(node.location, where=condition_at(entries["where"], text), where_text=text, actions=actions)


def _match(node: Node, version: int) -> Match:
    entries = dict(node.entries("`match` says which columns, e.g. `match: {name: email}`"))
    optional = entries.pop("optional", None)
    if optional is not None and not isinstance(optional.value, bool):
        raise optional.error("`optional` is true or false")
    check_names(entries, _MATCH[version], "`match`")
    if len(entries) != 1:
        raise node.error(f"`match` has exactly one of {', '.join(sorted(_MATCH[version]))}")
    [(kind, value)] = entries.items()
    expectation = f"`{kind}` is text" + (" or a list of text" if version == 2 else "")
    nodes = value.value if isinstance(value.value, list) and version == 2 else [value]
    values = tuple(node.text(expectation) for node in nodes)
    if not values or not all(values):
        raise value.error(f"`{kind}` is empty")
    return Match(cast(MatchKind, kind), values, bool(optional and optional.value))


def _guarantee(node: Node) -> Guarantee:
    entries = node.entries("a guarantee is e.g. `{type: k-anonymity, k: 5, quasi_identifiers: [zip, sex]}`")
    check_names(entries, {"type", "k", "quasi_identifiers"}, "a guarantee")
    if _text(entries, "type") != "k-anonymity":
        raise node.error("a guarantee has `type: k-anonymity`")
    k = entries["k"].value if "k" in entries else None
    if not isinstance(k, int) or isinstance(k, bool) or k < 2:
        raise node.error("`k` is a whole number from 2 up")
    columns = _items(entries, "quasi_identifiers")
    names = tuple(column.text("a quasi-identifier is the name of a column") for column in columns)
    if not names:
        raise node.error("`quasi_identifiers` names the output columns that together could single a person out")
    if len(set(names)) < len(names):
        raise node.error("`quasi_identifiers` names a column twice; keep one")
    return Guarantee("k-anonymity", k, names, node.location)


def _keep(node: Node | None) -> str | None:
    if node is None:
        return None
    entries = node.entries("`keep` says why: `keep: {reason: ...}`")
    check_names(entries, {"reason"}, "`keep`")
    reason = _text(entries, "reason")
    if not reason.strip():
        raise node.error("`keep` needs a reason, for the person who reviews it")
    return reason


def _items(entries: dict[str, Node], name: str) -> list[Node]:
    return entries[name].items(f"`{name}` is a list") if name in entries else []


def _text(entries: dict[str, Node], name: str) -> str:
    return entries[name].text(f"`{name}` is text") if name in entries else ""


def condition_at(node: Node, text: str) -> Condition:
    """Parse a condition that stands at `node`.

    Raises:
        PolicyError: with the node's place.
    """
    try:
        return parse_condition(text)
    except PolicyError as error:
        raise node.error(error.message) from None
