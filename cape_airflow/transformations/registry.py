"""From a policy's ``type`` to the class that does it.

A package of the user adds techniques by the entry point group ``cape_airflow.transformations``; each entry names a
`Technique` class. Two techniques under one name are an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from cape_airflow.errors import PolicyError, did_you_mean
from cape_airflow.transformations.base import Technique
from cape_airflow.transformations.format_preserving import FormatPreservingEncryption
from cape_airflow.transformations.generalization import DateTruncate, Round
from cape_airflow.transformations.noise import AddNoise
from cape_airflow.transformations.pseudonymization import DeterministicEncryption, KeyedHash
from cape_airflow.transformations.reidentification import Reveal
from cape_airflow.transformations.suppression import CharacterMask, SuppressAttribute, SuppressRecord, SuppressValue
from cape_airflow.transformations.version1.dates import DatePerturbation, DateTruncation
from cape_airflow.transformations.version1.numbers import NumericPerturbation, NumericRounding
from cape_airflow.transformations.version1.tokens import ReversibleTokenizer, Tokenizer, TokenReverser

ENTRY_POINT_GROUP = "cape_airflow.transformations"


def create(spec: Mapping[str, Any]) -> Technique:
    """Return the technique that a policy's ``transform`` describes.

    Args:
        spec: ``{"type": NAME, **parameters}``; lists stand for tuples; ``key`` is ``{"ref": NAME}`` or a KeyReference.

    Raises:
        PolicyError: no such type or parameter, or a value that the parameter cannot take.
    """
    parameters = {name: _frozen(value) for name, value in spec.items() if name != "type"}
    technique = _find(spec.get("type"))
    try:
        return technique.model_validate(parameters)
    except ValidationError as error:
        complaint = _explain(error, technique)
    # Outside of the handler: pydantic's error shows the input, and must not be the context of ours.
    raise PolicyError(f"`{spec['type']}`: {complaint}")


@cache
def techniques() -> Mapping[str, type[Technique]]:
    """Return all techniques by their canonical name, ours and those of entry points.

    Raises:
        PolicyError: two of them go by one name.
    """
    ours = tuple(entry.load() for entry in entry_points(group=ENTRY_POINT_GROUP))
    by_name = _index((*BUILT_IN, *ours))
    return MappingProxyType({name: technique for name, technique in by_name.items() if name == technique.type})


@cache
def _names() -> Mapping[str, type[Technique]]:
    return _index(techniques().values())


def _index(classes: Iterable[type[Technique]]) -> dict[str, type[Technique]]:
    by_name: dict[str, type[Technique]] = {}
    for technique in classes:
        for name in (technique.type, *technique.aliases):
            if name in by_name:
                raise PolicyError(f"two techniques go by the name `{name}`: {by_name[name]!r} and {technique!r}")
            by_name[name] = technique
    return by_name


def _find(name: object) -> type[Technique]:
    if not isinstance(name, str):
        raise PolicyError("a transform needs a `type`, e.g. `type: keyed-hash`")
    if name not in _names():
        raise PolicyError(f"no technique `{name}`{did_you_mean(name, _names())} (known: {', '.join(techniques())})")
    return _names()[name]


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _explain(error: ValidationError, technique: type[Technique]) -> str:
    """Say what is wrong with the parameters; pydantic's `input` stays out, for it may be a key."""
    known = tuple(technique.model_fields)
    complaints = []
    for item in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            complaints.append(f"no parameter `{place}`{did_you_mean(place, known)} (known: {', '.join(known)})")
        elif item["type"] == "missing":
            complaints.append(f"needs the parameter `{place}`")
        else:
            message = item["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list")
            complaints.append(f"`{place}`: {message}" if place else message)
    return "; ".join(complaints)


BUILT_IN: tuple[type[Technique], ...] = (
    KeyedHash,
    DeterministicEncryption,
    FormatPreservingEncryption,
    Reveal,
    CharacterMask,
    SuppressValue,
    SuppressAttribute,
    SuppressRecord,
    Round,
    DateTruncate,
    AddNoise,
    Tokenizer,
    ReversibleTokenizer,
    TokenReverser,
    NumericRounding,
    NumericPerturbation,
    DateTruncation,
    DatePerturbation,
)
