"""The Plan: a policy compiled against one schema. Plain data: it can be printed, stored and sent, and holds no key.

Engines run `steps` in order over every batch:

- `SuppressRecords` drops the rows for which the condition is true (null is not true);
- `Transform` replaces one column by its transformed self;
- `SuppressAttributes` drops columns.

`guarantees` are measured on what comes out, before anything is published.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import pyarrow as pa

from cape_airflow.errors import Location
from cape_airflow.keys import KeyRing
from cape_airflow.policy.condition import Condition, condition_from_dict
from cape_airflow.policy.model import Guarantee
from cape_airflow.transformations import Transformation, create

Decision = Literal["transformed", "kept", "dropped"]


@dataclass(frozen=True)
class Transform:
    """Replace `column` by what `transformation` makes of it; `output_type` is the type that comes out."""

    column: str
    transformation: Transformation
    rule: str


@dataclass(frozen=True)
class SuppressRecords:
    """Drop the rows for which `condition` is true. `text` is the condition as the policy wrote it."""

    condition: Condition
    text: str
    rule: str


@dataclass(frozen=True)
class SuppressAttributes:
    """Drop these columns."""

    columns: tuple[str, ...]
    rule: str


Step = Transform | SuppressRecords | SuppressAttributes


@dataclass(frozen=True)
class ColumnOutcome:
    """What becomes of one input column, for people, lineage and reports.

    Args:
        name: the input column.
        input_type, output_type: Arrow types as text; `output_type` is None where the column is dropped.
        decision: transformed, kept or dropped.
        techniques: policy types in the order applied.
        reason: why it is kept, in the policy's words, or how it came to be kept or dropped.
        rules: places in the policy, e.g. ``rules[2]``.
        reversible: whoever holds the key can get the input back.
        linkable: equal inputs still give equal outputs.
        tags: of the input column, e.g. ``user.contact.email``.
    """

    name: str
    input_type: str
    output_type: str | None
    decision: Decision
    techniques: tuple[str, ...] = ()
    reason: str = ""
    rules: tuple[str, ...] = ()
    reversible: bool = False
    linkable: bool = False
    tags: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """What happens to the column, in a few words."""
        if self.decision == "transformed":
            return ", ".join(self.techniques)
        return f"{self.decision} ({self.reason})" if self.reason else self.decision


@dataclass(frozen=True)
class Plan:
    """What happens to data of `input_schema` under one policy.

    Args:
        policy_digest: 64 lower-case hex digits (see `policy.digest`).
        warnings: what an operator should know before running it, e.g. a random key.
    """

    policy_digest: str
    policy_label: str
    policy_version: int
    domain: str
    input_schema: pa.Schema
    output_schema: pa.Schema
    steps: tuple[Step, ...]
    columns: tuple[ColumnOutcome, ...]
    guarantees: tuple[Guarantee, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Names of the input columns that must be read: all but those that are only dropped, in input order."""
        needed = {outcome.name for outcome in self.columns if outcome.decision != "dropped"}
        for step in self.steps:
            if isinstance(step, SuppressRecords):
                needed |= step.condition.columns()
            elif isinstance(step, Transform):
                needed |= {step.column, *step.transformation.other_columns.values()}
        return tuple(name for name in self.input_schema.names if name in needed)

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Names of the input columns that techniques for other columns look at (as `subject`), each once."""
        names = (
            name
            for step in self.steps
            if isinstance(step, Transform)
            for name in step.transformation.other_columns.values()
        )
        return tuple(dict.fromkeys(names))

    @property
    def ordered(self) -> bool:
        """Whether batches must pass one after the other, in order (position-dependent noise)."""
        return any(isinstance(step, Transform) and step.transformation.ordered for step in self.steps)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the keys that running the plan needs, each once, in order."""
        references = (
            reference.ref
            for step in self.steps
            if isinstance(step, Transform)
            for reference in step.transformation.key_references()
        )
        return tuple(dict.fromkeys(references))

    def check_keys(self, keys: KeyRing) -> None:
        """Ask for all keys that running the plan needs.

        Raises:
            KeyUnavailable: one cannot be had, or may not be used as a technique would use it.
        """
        for step in self.steps:
            if isinstance(step, Transform):
                step.transformation.check_keys(keys)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able data; `from_dict` is the inverse."""
        return {
            "policy_digest": self.policy_digest,
            "policy_label": self.policy_label,
            "policy_version": self.policy_version,
            "domain": self.domain,
            "input_schema": _schema_to_text(self.input_schema),
            "output_schema": _schema_to_text(self.output_schema),
            "steps": [_step_to_dict(step) for step in self.steps],
            "columns": [asdict(column) for column in self.columns],
            "guarantees": [asdict(guarantee) for guarantee in self.guarantees],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """Rebuild a plan from `to_dict`'s data.

        Raises:
            PolicyError: a step names a technique or parameter that this version does not know.
        """
        return cls(
            policy_digest=data["policy_digest"],
            policy_label=data["policy_label"],
            policy_version=data["policy_version"],
            domain=data["domain"],
            input_schema=_schema_from_text(data["input_schema"]),
            output_schema=_schema_from_text(data["output_schema"]),
            steps=tuple(_step_from_dict(step) for step in data["steps"]),
            columns=tuple(_outcome_from_dict(column) for column in data["columns"]),
            guarantees=tuple(_guarantee_from_dict(guarantee) for guarantee in data["guarantees"]),
            warnings=tuple(data["warnings"]),
        )

    def __str__(self) -> str:
        rows = [("COLUMN", "TYPE", "BECOMES", "HOW")]
        rows += [(each.name, each.input_type, each.output_type or "-", each.how) for each in self.columns]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
        lines += [f"rows: dropped where {step.text}" for step in self.steps if isinstance(step, SuppressRecords)]
        lines += [f"guarantee: {each.k}-anonymity over {', '.join(each.quasi_identifiers)}" for each in self.guarantees]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join([f"policy {self.policy_label or '(no label)'} {self.policy_digest[:12]}", *lines])


def _outcome_from_dict(data: dict[str, Any]) -> ColumnOutcome:
    listed = {name: tuple(data.get(name, ())) for name in ("techniques", "rules", "tags")}
    return ColumnOutcome(**{**data, **listed})


def _guarantee_from_dict(data: dict[str, Any]) -> Guarantee:
    location = Location(**data["location"])
    return Guarantee(data["type"], data["k"], tuple(data["quasi_identifiers"]), location)


def _schema_to_text(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize()).decode("ascii")


def _schema_from_text(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _step_to_dict(step: Step) -> dict[str, Any]:
    if isinstance(step, Transform):
        parameters = step.transformation.model_dump(mode="json", exclude_unset=True)
        return {"transform": {"type": step.transformation.type, **parameters}, "column": step.column, "rule": step.rule}
    if isinstance(step, SuppressRecords):
        return {"suppress-records": step.condition.to_dict(), "text": step.text, "rule": step.rule}
    return {"suppress-attributes": list(step.columns), "rule": step.rule}


def _step_from_dict(data: dict[str, Any]) -> Step:
    if "transform" in data:
        return Transform(data["column"], cast(Transformation, create(data["transform"])), data["rule"])
    if "suppress-records" in data:
        return SuppressRecords(condition_from_dict(data["suppress-records"]), data["text"], data["rule"])
    return SuppressAttributes(tuple(data["suppress-attributes"]), data["rule"])
