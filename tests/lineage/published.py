"""Whether events are as OpenLineage publishes them, by the classes that its client generates from the specification.

The specification's JSON Schemas come with no package. Its classes have their fields: what is required, of which type;
a field that a class does not have is refused, though the specification would let it pass.
"""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any

import attr
import jsonschema
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated import base
from referencing import Registry, Resource

from cape_airflow.lineage import run_facet_schema
from cape_airflow.lineage.run import SCHEMA_URL

_BASE = {
    "$id": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
    "$defs": {
        "RunFacet": {
            "type": "object",
            "required": ["_producer", "_schemaURL"],
            "properties": {name: {"type": "string", "format": "uri"} for name in ("_producer", "_schemaURL")},
        }
    },
}


def ours() -> jsonschema.protocols.Validator:
    """Return the validator of our own facet."""
    schema = run_facet_schema()
    registry = Registry().with_resources(
        (each["$id"], Resource.from_contents(each, default_specification=_draft())) for each in (schema, _BASE)
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator({"$ref": SCHEMA_URL}, registry=registry)


def _draft() -> Any:
    from referencing.jsonschema import DRAFT202012

    return DRAFT202012


def check_event(event: dict[str, Any], others: tuple[str, ...] = ()) -> None:
    """Check an event and all of its facets.

    Args:
        event: as it was received.
        others: beginnings of the `_schemaURL` of facets that belong to neither OpenLineage nor us, e.g. Airflow's.
    """
    _check(event, event_v2.RunEvent, "event")
    holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for holder in holders:
        for kind in ("facets", "inputFacets", "outputFacets"):
            for name, facet in holder.get(kind, {}).items():
                _check_facet(name, facet, others)


def _check_facet(name: str, facet: dict[str, Any], others: tuple[str, ...]) -> None:
    if facet["_schemaURL"] == SCHEMA_URL:
        ours().validate(facet)
        return
    if facet["_schemaURL"].startswith(others or "-"):
        return
    _check(facet, _published()[facet["_schemaURL"]], name)


def _published() -> dict[str, type]:
    modules = [getattr(facet_v2, name) for name in dir(facet_v2)]
    classes = [each for module in modules if isinstance(module, types.ModuleType) for each in vars(module).values()]
    return {
        kind._get_schema(): kind
        for kind in classes
        if isinstance(kind, type) and issubclass(kind, base.BaseFacet) and attr.has(kind)
    }


def _check(data: Any, kind: Any, where: str) -> None:
    """Check JSON against a type: an attrs class, a container or a plain type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        [inner] = [each for each in arguments if each is not type(None)]
        _check(data, inner, where)
    elif origin is list:
        assert isinstance(data, list), where
        for number, each in enumerate(data):
            _check(each, arguments[0], f"{where}[{number}]")
    elif origin is dict:
        assert isinstance(data, dict), where
        for name, each in data.items():
            _check(each, arguments[1], f"{where}.{name}")
    elif isinstance(kind, type) and issubclass(kind, Enum):
        assert data in {each.value for each in kind}, where
    elif isinstance(kind, type) and issubclass(kind, base.BaseFacet) and kind in _ABSTRACT:
        assert {"_producer", "_schemaURL"} <= set(data), where  # `_check_facet` knows which it is
    elif attr.has(kind):
        _check_object(data, kind, where)
    elif kind is not Any:
        assert isinstance(data, kind), f"{where} is not {kind}"
        assert kind is not int or not isinstance(data, bool), where


_ABSTRACT = {
    base.RunFacet,
    base.JobFacet,
    base.DatasetFacet,
    base.InputDatasetFacet,
    base.OutputDatasetFacet,
}


def _check_object(data: dict[str, Any], kind: type, where: str) -> None:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in attr.fields(kind)}
    assert set(data) <= set(fields), f"{where} has {set(data) - set(fields)}, which {kind.__name__} has not"
    required = {name for name, field in fields.items() if field.default is attr.NOTHING}
    assert required <= set(data), f"{where} lacks {required - set(data)}"
    for name, value in data.items():
        _check(value, hints[name], f"{where}.{name}")
    kind(**{fields[name].alias: value for name, value in data.items() if fields[name].init})  # its validators
