"""The page ``docs/transformations.md``, made from what every technique says of itself.

``python -m cape_airflow.transformations.reference > docs/transformations.md`` writes it; a test keeps it current.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping

import yaml

from cape_airflow.transformations.base import Technique
from cape_airflow.transformations.registry import techniques

_HEAD = """\
# Transformations

Every `type` that a policy can name, with its family in ISO/IEC 20889:2018. Nulls stay null, and the output does not
depend on how the data is cut into batches. A column of a type that a technique does not take fails when the policy is
compiled, before a row is read; values that it cannot take fail the run, counted and never shown.

*Reversible*: whoever holds the key can get the input back. *Linkable*: equal inputs give equal outputs.

This page is generated: `python -m cape_airflow.transformations.reference > docs/transformations.md`
"""


def page() -> str:
    """Return the whole page as Markdown."""
    known = techniques()
    rows = [
        f"| [`{name}`](#{name}) | {kind.family} | {_yes(kind.reversible)} | {_yes(kind.linkable)} | {_names(kind)} |"
        for name, kind in known.items()
    ]
    table = "\n".join(
        ("| type | family | reversible | linkable | also called |", "| --- | --- | --- | --- | --- |", *rows)
    )
    return "\n".join((_HEAD, table, "", *(_section(kind) for kind in known.values())))


def _section(kind: type[Technique]) -> str:
    text, descriptions = documentation(kind)
    parts = [f"## {kind.type}", text]
    if kind.model_fields:
        parts.append("\n".join(_parameters(kind, descriptions)))
    example = kind.example
    rule = yaml.safe_dump(
        {"type": kind.type, **example.parameters}, sort_keys=False, default_flow_style=True, width=200
    )
    parts.append(f"```yaml\n- transform: {rule.strip()}\n```")
    parts.append(f"`{example.input}` ({example.input_type}) → `{example.output}`")
    return "\n\n".join(parts) + "\n"


def documentation(kind: type[Technique]) -> tuple[str, dict[str, str]]:
    """Return the text before ``Args:``, and the description of every argument."""
    text, _, arguments = (inspect.getdoc(kind) or "").partition("\nArgs:\n")
    described = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE)
    return text.strip().replace("``", "`"), {name: re.sub(r"\s+", " ", what) for name, what in described}


def _parameters(kind: type[Technique], descriptions: Mapping[str, str]) -> Iterator[str]:
    yield "| parameter | default | |"
    yield "| --- | --- | --- |"
    for name, field in kind.model_fields.items():
        default = "required" if field.is_required() else f"`{_as_written(field.default)}`"
        yield f"| `{name}` | {default} | {descriptions[name].replace('``', '`')} |"


def _as_written(value: object) -> str:
    return yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True).split("\n")[0]


def _names(kind: type[Technique]) -> str:
    return ", ".join(f"`{alias}`" for alias in kind.aliases)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    sys.stdout.write(page())
