"""A policy that is put together in a form: what was filled in, and the policy text that it makes.

The form knows rules that name columns and do one thing to them, rows to leave out, and one k-anonymity. Whatever else a
policy may say is written as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from cape_airflow.coordinator.forms import Fields
from cape_airflow.coordinator.pages.parameters import entered
from cape_airflow.policy import Policy
from cape_airflow.policy.model import Rule, technique_document
from cape_airflow.policy.strict_yaml import stands_for_itself
from cape_airflow.transformations import SuppressAttribute, techniques

KEEP = "keep"
"""What the form calls a column that stays as it is."""

_MOST_COLUMNS = 200


@dataclass(frozen=True)
class ColumnDraft:
    """One column, and what is to become of it.

    Args:
        treatment: the type of a technique, `KEEP`, or empty while nobody has decided.
        reason: why it stays as it is.
        given: parameters of the technique as they stand in the form.
        quasi: it identifies people together with others: a quasi-identifier.
    """

    name: str
    treatment: str = ""
    reason: str = ""
    given: Mapping[str, str] | None = None
    quasi: bool = False


@dataclass(frozen=True)
class Draft:
    """A policy as it stands in the form.

    Args:
        rows: conditions; rows for which one of them is true are left out.
        k: rows that each combination of the quasi-identifiers must have at least; empty for no such promise.
    """

    label: str = ""
    domain: str = ""
    default: str = "fail"
    columns: tuple[ColumnDraft, ...] = ()
    rows: tuple[str, ...] = ()
    k: str = ""

    @property
    def undecided(self) -> list[str]:
        """The columns that nothing is said about yet."""
        return [column.name for column in self.columns if not column.treatment]

    def with_columns(self, names: Iterable[str]) -> Draft:
        """Return the draft with columns added that it does not have yet."""
        known = {column.name for column in self.columns}
        new = (ColumnDraft(name) for name in dict.fromkeys(names) if name not in known)
        return replace(self, columns=(*self.columns, *new)[:_MOST_COLUMNS])

    def document(self) -> dict[str, Any]:
        """Return the policy as it is written, without the columns that nobody has decided on."""
        head = {"label": self.label, "version": 2, "domain": self.domain, "default": self.default}
        rules = [*({"where": row, "actions": ["suppress-record"]} for row in self.rows), *_column_rules(self.columns)]
        return {
            **{name: value for name, value in head.items() if value != ""},
            "rules": rules,
            **({"guarantees": [self._promise()]} if self.k else {}),
        }

    def text(self) -> str:
        """Return the policy text."""
        written: str = yaml.dump(self.document(), Dumper=_Writer, sort_keys=False, allow_unicode=True, width=100)
        return written

    def _promise(self) -> dict[str, Any]:
        names = [column.name for column in self.columns if column.quasi]
        return {"type": "k-anonymity", "k": int(self.k) if self.k.isdecimal() else self.k, "quasi_identifiers": names}


def column_names(text: str) -> list[str]:
    """Return the names in what somebody typed or pasted: one a line, or the first line of a CSV file."""
    parts = (part.strip().strip("\"'").strip() for part in re.split(r"[\n\r\t,;|]", text))
    return [part for part in parts if part]


def draft_from_form(form: Fields) -> Draft:
    """Return the draft that a form holds; columns that were taken out are left out."""
    indices = sorted({int(match[1]) for name in form if (match := _COLUMN.match(name))})
    columns = (_column(form, f"c{index}.") for index in indices[:_MOST_COLUMNS])
    return Draft(
        label=_first(form, "label"),
        domain=_first(form, "domain"),
        default=_first(form, "default") or "fail",
        columns=tuple(column for column in columns if column.name not in {"", _first(form, "without")}),
        rows=tuple(row.strip() for row in _first(form, "rows").splitlines() if row.strip()),
        k=_first(form, "k"),
    )


def draft_from_policy(policy: Policy) -> Draft | None:
    """Return a policy as a draft; None where it says what the form cannot show."""
    columns = [rule for rule in policy.rules if rule.match]
    rows = [rule.where_text for rule in policy.rules if rule.where]
    if policy.version != 2 or len(policy.guarantees) > 1 or not all(map(_shown, columns)):
        return None
    promise = policy.guarantees[0] if policy.guarantees else None
    quasi = promise.quasi_identifiers if promise else ()
    drafts = (_drafted(rule, name, name in quasi) for rule in columns for name in rule.columns.values)
    return Draft(
        policy.label, policy.domain, policy.default, tuple(drafts), tuple(rows), str(promise.k) if promise else ""
    )


_COLUMN = re.compile(r"c(\d{1,4})\.name$")


def _first(form: Fields, name: str) -> str:
    return form.get(name, [""])[0].strip()


def _column(form: Fields, prefix: str) -> ColumnDraft:
    given = {
        name.removeprefix(f"{prefix}p."): values[0] for name, values in form.items() if name.startswith(f"{prefix}p.")
    }
    return ColumnDraft(
        name=_first(form, f"{prefix}name"),
        treatment=_first(form, f"{prefix}do"),
        reason=_first(form, f"{prefix}reason"),
        given=given,
        quasi=bool(_first(form, f"{prefix}quasi")),
    )


def _column_rules(columns: tuple[ColumnDraft, ...]) -> Iterator[dict[str, Any]]:
    """Yield one rule for all columns that get the same, where the first of them stands."""
    together: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for column in columns:
        if column.treatment:
            treatment = _treatment(column)
            together.setdefault(repr(treatment), ([], treatment))[0].append(column.name)
    for names, treatment in together.values():
        yield {"match": {"name": names[0] if len(names) == 1 else names}, **treatment}


def _treatment(column: ColumnDraft) -> dict[str, Any]:
    if column.treatment == KEEP:
        return {"keep": {"reason": column.reason}}
    if column.treatment == SuppressAttribute.type:
        return {"actions": ["drop"]}
    kind = techniques().get(column.treatment)
    given = entered(kind, column.given or {}) if kind else {}
    return {"actions": [{"transform": {"type": column.treatment, **given}} if given else column.treatment]}


def _shown(rule: Rule) -> bool:
    """Whether the form can show a rule about columns."""
    plain = rule.columns.kind == "name" and not rule.columns.optional and len(rule.actions) <= 1
    drops = [action.technique for action in rule.actions if isinstance(action.technique, SuppressAttribute)]
    return plain and not any(technique.columns for technique in drops)


def _drafted(rule: Rule, name: str, quasi: bool) -> ColumnDraft:
    if rule.keep is not None:
        return ColumnDraft(name, KEEP, rule.keep, quasi=quasi)
    document = technique_document(rule.actions[0].technique)
    given = {parameter: _as_text(value) for parameter, value in document.items() if parameter != "type"}
    return ColumnDraft(name, document["type"], given=given, quasi=quasi)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, dict):
        return str(value["ref"])
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


class _Writer(yaml.SafeDumper):
    """Writes small things in one line, as people write policies."""


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    small = bool({"name", "type", "reason"} & data.keys())
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=small)


def _sequence(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence(
        "tag:yaml.org,2002:seq", data, flow_style=all(isinstance(item, str) for item in data)
    )


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    # What YAML 1.1 takes for a text may be a number for our reader, such as 1e3; the rest PyYAML quotes by itself.
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=None if stands_for_itself(data) else '"')


_Writer.add_representer(str, _text)
_Writer.add_representer(dict, _mapping)
_Writer.add_representer(list, _sequence)
