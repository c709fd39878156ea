"""The actions of a rule: `drop`, a bare technique (version 2), `transform` by type or by name; and version 1's keys.

Version 1 lets keys stand in the text: ``key: my secret``, or in a named transformation
``key: {type: secret, name: my-key, value: BASE64URL}``. Both are taken out here and replaced by a reference, so that
nothing that holds a policy's meaning holds a key.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cape_airflow.errors import PolicyError, did_you_mean
from cape_airflow.keys import Secret
from cape_airflow.policy.condition_parser import parse_condition
from cape_airflow.policy.model import INLINE, Action
from cape_airflow.policy.strict_yaml import Node, check_names
from cape_airflow.transformations import KeyReference, SuppressAttribute, SuppressRecord, create


class ActionReader:
    """Reads actions; collects the keys that stand in the text under `inline`.

    Args:
        version: of the policy, 1 or 2.
        named: the node of `transformations`, where there is one.

    Raises:
        PolicyError: a named transformation is wrong.
    """

    def __init__(self, version: int, named: Node | None) -> None:
        self._version = version
        self.inline: dict[str, Secret] = {}
        self._named: dict[str, Action] = {}
        for node in named.items("`transformations` is a list") if named else []:
            name, action = self._named_transformation(node)
            if name in self._named:
                raise node.error(f"the transformation `{name}` stands here twice; keep one")
            self._named[name] = action

    def read(self, node: Node) -> Action:
        """Read one entry of `actions`.

        Raises:
            PolicyError: with the place of what is wrong.
        """
        if node.value == "drop":
            return Action(SuppressAttribute(), node.location)
        if isinstance(node.value, str) and self._version == 2:
            return self._create(node, {"type": node.value})
        expectation = "an action is `drop` or `transform: {type: ...}`"
        entries = node.entries(expectation)
        if set(entries) != {"transform"}:
            raise node.error(expectation)
        return self._transform(entries["transform"])

    def _transform(self, node: Node) -> Action:
        entries = node.entries("`transform` is a mapping with `type`, or with `name` of one in `transformations`")
        if "type" in entries:
            if "name" in entries:
                raise node.error("`transform` has `type` or `name`, not both")
            return self._create(node, self._parameters(node, entries))
        if "name" not in entries:
            raise node.error("`transform` needs `type`, or `name` of one in `transformations`")
        check_names(entries, {"name"}, "`transform` by name")
        name = entries["name"].text("`name` is text")
        if name not in self._named:
            raise node.error(f"no `{name}` in `transformations`{did_you_mean(name, self._named)}")
        return Action(self._named[name].technique, node.location)

    def _named_transformation(self, node: Node) -> tuple[str, Action]:
        entries = dict(node.entries("a named transformation is a mapping with `name` and `type`"))
        if "name" not in entries or "type" not in entries:
            raise node.error("a named transformation has `name` and `type`")
        name = entries.pop("name").text("`name` is text")
        if not name:
            raise node.error("`name` is empty")
        return name, self._create(node, self._parameters(node, entries))

    def _parameters(self, node: Node, entries: dict[str, Node]) -> dict[str, Any]:
        parameters = {name: entry.plain() for name, entry in entries.items()}
        if parameters.get("key") is not None:
            parameters["key"] = self._key(entries["key"], node.location.rule)
        return parameters

    def _key(self, node: Node, place: str) -> KeyReference:
        value = node.plain()
        if isinstance(value, dict) and set(value) == {"ref"} and isinstance(value["ref"], str) and value["ref"]:
            if value["ref"].startswith(INLINE):
                raise node.error(f"a key's name does not begin with `{INLINE}`")
            return KeyReference(ref=value["ref"])
        if self._version == 2:
            raise node.error("name the key: `key: {ref: customer-id}`; a policy holds no key material")
        reference = f"{INLINE}{place}"
        self.inline[reference] = Secret(_inline_key(node, value))
        return KeyReference(ref=reference)

    def _create(self, node: Node, spec: dict[str, Any]) -> Action:
        try:
            technique = create(spec)
            if isinstance(technique, SuppressRecord) and technique.condition is not None:
                parse_condition(technique.condition)
        except PolicyError as error:
            raise node.error(error.message) from None
        return Action(technique, node.location)


def _inline_key(node: Node, value: object) -> bytes:
    """Return the bytes of a version 1 key: UTF-8 of text, or base64url of a secret (as of Cape Python 0.3)."""
    if isinstance(value, dict) and value.get("type") == "secret":
        text = value.get("value")
        if not isinstance(text, str):
            raise node.error("a secret has a `value`; or name a key: `key: {ref: NAME}`")
        try:
            key = base64.urlsafe_b64decode(text + "==")
        except (binascii.Error, ValueError):
            raise node.error("a secret's `value` is base64url") from None
    elif isinstance(value, str):
        key = value.encode()
    else:
        raise node.error("`key` is text, a secret, or the name of a key: `key: {ref: NAME}`")
    if not key:
        raise node.error("the key is empty; leave `key` out for a random one, or name one: `key: {ref: NAME}`")
    return key
