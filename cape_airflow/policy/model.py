"""What a policy says, as data. `policy.load_policy` makes it from text; `policy.compile_plan` makes a Plan of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NoReturn, cast

import rfc8785

from cape_airflow.errors import Location
from cape_airflow.keys import Key, KeyProvider, Secret
from cape_airflow.policy.condition import Condition
from cape_airflow.transformations import Technique

Default = Literal["fail", "drop", "keep"]
MatchKind = Literal["name", "pattern", "tag", "dtype"]
INLINE = "inline:"
"""How references to version 1's inline keys begin; no text may write one itself."""


@dataclass(frozen=True)
class Match:
    """Which columns a rule is about.

    Args:
        kind: by exact ``name``, glob ``pattern``, ``tag``, or ``dtype``.
        values: the names, globs, tags or types; a column matches where one of them does.
        optional: the rule may match no column.
    """

    kind: MatchKind
    values: tuple[str, ...]
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(self.values)}"


@dataclass(frozen=True)
class Action:
    """One technique of a rule, and where it stands."""

    technique: Technique
    location: Location


@dataclass(frozen=True)
class Rule:
    """One rule: columns (`match`) with actions or a reason to keep them, or rows (`where`) to suppress.

    Args:
        where: rows for which this is true are suppressed; `where_text` is how the policy wrote it.
        keep: the reason to keep the columns as they are; None where the rule acts.
    """

    location: Location
    match: Match | None = None
    where: Condition | None = None
    where_text: str = ""
    actions: tuple[Action, ...] = ()
    keep: str | None = None

    @property
    def columns(self) -> Match:
        """Which columns the rule is about; only for rules about columns."""
        return cast(Match, self.match)


@dataclass(frozen=True)
class Guarantee:
    """What must hold of the output, or the run fails: every group of equal quasi-identifiers has at least `k` rows.

    Args:
        type: ``k-anonymity`` (Samarati and Sweeney 1998; ISO/IEC 20889, formal privacy models).
        quasi_identifiers: names of output columns.
    """

    type: Literal["k-anonymity"]
    k: int
    quasi_identifiers: tuple[str, ...]
    location: Location


@dataclass(frozen=True)
class Policy:
    """A checked policy.

    Args:
        version: 1 (Cape's language) or 2.
        domain: pseudonymisation domain; keys derive per domain.
        default: what happens to a column that no rule is about.
        inline: version 1's keys that stood in the text itself, by reference; never part of `document`.
    """

    label: str
    version: int
    domain: str
    default: Default
    rules: tuple[Rule, ...]
    guarantees: tuple[Guarantee, ...] = ()
    inline: Mapping[str, Secret] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The policy's meaning as plain data: defaults and empty parts left out, inline keys replaced by references."""
        head = {"label": self.label, "version": self.version, "domain": self.domain, "default": self.default}
        guarantees = [
            {"type": each.type, "k": each.k, "quasi_identifiers": list(each.quasi_identifiers)}
            for each in self.guarantees
        ]
        return {
            **{name: value for name, value in head.items() if value != ""},
            "rules": [_rule_document(rule) for rule in self.rules],
            **({"guarantees": guarantees} if guarantees else {}),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the RFC 8785 canonical JSON of `document`, as 64 lower-case hex digits.

        Comments, order of names, spacing and spelling of defaults do not change it. Inline keys are not part of it.
        """
        return hashlib.sha256(rfc8785.dumps(self.document)).hexdigest()

    def inline_keys(self) -> KeyProvider:
        """Return the provider of the keys that stand in a version 1 text."""
        return InlineKeys(self.inline)


class InlineKeys:
    """KeyProvider of the keys written into a version 1 policy."""

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self._secrets = secrets

    def get(self, name: str) -> Key | None:
        """Return the inline key of that reference."""
        secret = self._secrets.get(name)
        return Key(name, {1: secret}) if secret else None

    def names(self) -> tuple[str, ...]:
        """Return the references of all inline keys."""
        return tuple(self._secrets)

    def __reduce__(self) -> NoReturn:
        raise TypeError("inline keys cannot be pickled; send the name of a key instead")


def _rule_document(rule: Rule) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if rule.match is not None:
        document["match"] = {rule.match.kind: list(rule.match.values)}
        if rule.match.optional:
            document["optional"] = True
    if rule.where is not None:
        document["where"] = rule.where.to_dict()
    if rule.keep is not None:
        document["keep"] = rule.keep
    if rule.actions:
        document["actions"] = [technique_document(action.technique) for action in rule.actions]
    return document


def technique_document(technique: Technique) -> dict[str, Any]:
    """Return a technique as plain data: its canonical type and the parameters that differ from the default."""
    return {"type": technique.type, **technique.model_dump(mode="json", exclude_defaults=True)}
