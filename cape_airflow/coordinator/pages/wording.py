"""What techniques do, in plain words for people who write no policies; families go by their names in ISO/IEC 20889."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cape_airflow.policy.model import Guarantee, Match, Policy, technique_document
from cape_airflow.transformations import Technique, techniques
from cape_airflow.transformations.base import Family
from cape_airflow.transformations.reference import documentation


@dataclass(frozen=True)
class Words:
    """A technique in plain words.

    Args:
        title: what people call it.
        effect: what becomes of a value, as the rest of a sentence that begins with "Each value is".
    """

    title: str
    effect: str


_TECHNIQUES: Mapping[str, Words] = {
    "keyed-hash": Words("Pseudonym", "replaced by a token, always the same one, that nobody can turn back"),
    "deterministic-encryption": Words(
        "Reversible pseudonym", "encrypted to a token, always the same one; who has the key can read it again"
    ),
    "format-preserving-encryption": Words(
        "Pseudonym of the same form",
        "encrypted to another of the same length and characters; who has the key can read it again",
    ),
    "reveal": Words("Re-identification", "turned from its token back into what it was"),
    "character-mask": Words("Masking", "shown in part; the other characters are hidden"),
    "suppress-value": Words("Value suppression", "left out, or replaced by one and the same constant"),
    "suppress-attribute": Words("Column suppression", "left out together with the whole column"),
    "suppress-record": Words("Row suppression", "left out together with its row where the condition is true"),
    "round": Words("Rounding", "rounded, so that many people share one value"),
    "date-truncate": Words("Coarser dates", "cut to the beginning of its period, so that many people share one date"),
    "add-noise": Words("Noise", "moved by a random amount"),
    "tokenizer": Words("Pseudonym (version 1)", "replaced by a token that nobody can turn back"),
    "reversible-tokenizer": Words(
        "Reversible pseudonym (version 1)", "encrypted to a token; who has the key can read it again"
    ),
    "token-reverser": Words("Re-identification (version 1)", "turned from its token back into what it was"),
    "numeric-rounding": Words("Rounding (version 1)", "rounded, so that many people share one value"),
    "numeric-perturbation": Words("Noise (version 1)", "moved by a random amount"),
    "date-truncation": Words("Coarser dates (version 1)", "cut to the beginning of its period"),
    "date-perturbation": Words("Noise on dates (version 1)", "moved by a random number of days, or of other units"),
}

FAMILIES: Mapping[Family, str] = {
    Family.SUPPRESSION: "Suppression",
    Family.PSEUDONYMIZATION: "Pseudonymization",
    Family.CRYPTOGRAPHIC: "Cryptographic tools",
    Family.GENERALIZATION: "Generalization",
    Family.RANDOMIZATION: "Randomization",
    Family.REIDENTIFICATION: "Re-identification",
}
"""Headings of the families, in the order in which people are offered them."""

DEFAULTS: Mapping[str, str] = {
    "fail": "A column that no rule is about stops the run before anything is written.",
    "drop": "A column that no rule is about is left out.",
    "keep": "A column that no rule is about passes unchanged.",
}

_MATCHES: Mapping[str, tuple[str, str]] = {
    "name": ("Column", "Columns"),
    "pattern": ("Columns named like", "Columns named like"),
    "tag": ("Columns tagged", "Columns tagged"),
    "dtype": ("Columns of type", "Columns of type"),
}


def words(kind: type[Technique]) -> Words:
    """Return a technique in plain words; one that a user's package adds speaks by the first line of its docstring."""
    text, _ = documentation(kind)
    return _TECHNIQUES.get(kind.type) or Words(kind.type, f"changed: {text.splitlines()[0].rstrip('.')}")


def titles(types: Iterable[str]) -> str:
    """Return what people call techniques that are applied one after the other."""
    return ", then ".join(words(techniques()[name]).title for name in types)


def about(match: Match) -> str:
    """Return what a rule is about, e.g. ``Columns named like``; the names themselves stand beside it."""
    return _MATCHES[match.kind][len(match.values) > 1]


def settings(technique: Technique) -> list[tuple[str, str]]:
    """Return the parameters that the policy sets, by name, as people read them."""
    parameters = technique_document(technique)
    return [(name.replace("_", " "), _shown(value)) for name, value in parameters.items() if name != "type"]


def promise(guarantee: Guarantee) -> str:
    """Return what holds of the output, or the run fails."""
    names = ", ".join(guarantee.quasi_identifiers)
    return f"Every combination of {names} that occurs, occurs in at least {guarantee.k} rows, or nothing is published."


def scope(policy: Policy) -> str:
    """Return inside what the policy's tokens join."""
    if policy.domain:
        return f"Tokens join inside the pseudonymisation domain “{policy.domain}”, and never across."
    return "No pseudonymisation domain is named: tokens join with those of all policies without one."


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(str(part) for part in value.values())
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
