"""Fields of a form for the parameters of a technique, made from its own JSON Schema and docstring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cape_airflow.transformations import Technique
from cape_airflow.transformations.reference import documentation

Widget = Literal["key", "choice", "flag", "integer", "number", "text", "names"]


@dataclass(frozen=True)
class Parameter:
    """A field of the form.

    Args:
        widget: what it is entered with.
        default: what counts where the field is empty, as text.
        options: to choose from, of a choice.
        minimum, maximum: of a number, where it has them.
    """

    name: str
    widget: Widget
    hint: str
    required: bool
    default: str
    options: tuple[str, ...]
    minimum: float | None
    maximum: float | None

    @property
    def title(self) -> str:
        """The name, for people."""
        return self.name.replace("_", " ").capitalize()


def parameters(kind: type[Technique]) -> Iterator[Parameter]:
    """Yield the fields for a technique, those first that must be filled in."""
    schema = kind.model_json_schema()
    required = set(schema.get("required", ()))
    _, hints = documentation(kind)
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    for name in sorted(properties, key=lambda name: name not in required):
        widget, plain = _widget(properties[name])
        yield Parameter(
            name=name,
            widget=widget,
            hint=hints[name].replace("``", "").replace("`", ""),
            required=name in required,
            default=_as_text(properties[name].get("default")),
            options=tuple(plain.get("enum", ())),
            minimum=plain.get("minimum"),
            maximum=plain.get("maximum"),
        )


def entered(kind: type[Technique], given: Mapping[str, str]) -> dict[str, Any]:
    """Return what was filled in, as a policy writes it; empty fields are left out, and so is what equals the default.

    What cannot be read as the number that it should be stays text: the technique itself then says what it takes.
    """
    filled = ((field, given.get(field.name, "").strip()) for field in parameters(kind))
    return {field.name: _read(field.widget, text) for field, text in filled if text and text != field.default}


def _widget(schema: Mapping[str, Any]) -> tuple[Widget, Mapping[str, Any]]:
    """Return how a parameter is entered, and the schema of its value where it is not null."""
    plain = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    first = plain[0]
    if "$ref" in first:
        return "key", first
    if "enum" in first:
        return "choice", first
    if len(plain) > 1:
        return ("names" if plain[-1].get("type") == "array" else "text"), first
    return _BY_TYPE.get(first.get("type", ""), "text"), first


_BY_TYPE: Mapping[str, Widget] = {"boolean": "flag", "integer": "integer", "number": "number"}


def _read(widget: Widget, text: str) -> object:
    if widget == "key":
        return {"ref": text}
    if widget == "flag":
        return text == "yes"
    if widget == "names":
        return [part.strip() for part in text.split(",") if part.strip()]
    if widget in {"integer", "number"}:
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _as_text(default: object) -> str:
    return "" if default in (None, [], False) else str(default)
