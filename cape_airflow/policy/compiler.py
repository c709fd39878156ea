"""Policy and schema to Plan. All that can be wrong is found here, before a row is read.

Version 1 runs its rules in order, as Cape did: each action sees what the earlier ones left, also row conditions.
Version 2 suppresses rows first, by their input values; then each column gets the actions of the one rule about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

import pyarrow as pa

from cape_airflow.arrow_types import type_name, unwrapped, without_metadata
from cape_airflow.errors import Location, PolicyError, SchemaMismatch, did_you_mean
from cape_airflow.kernels.text import has_canonical_text
from cape_airflow.policy.condition import Condition
from cape_airflow.policy.condition_parser import parse_condition
from cape_airflow.policy.matching import TAGS, assign, missing, tags
from cape_airflow.policy.model import Action, Policy, Rule
from cape_airflow.policy.plan import ColumnOutcome, Plan, Step, SuppressAttributes, SuppressRecords, Transform
from cape_airflow.policy.two_valued import two_valued
from cape_airflow.transformations import SuppressAttribute, SuppressRecord, Technique, Transformation


def compile_plan(policy: Policy, schema: pa.Schema) -> Plan:
    """Compile a policy against the schema of the data.

    Args:
        policy: of version 1 or 2.
        schema: column names and Arrow types; tags from field metadata ``cape.tags``.

    Raises:
        SchemaMismatch: a column is missing, uncovered, twice there, or of a type that a technique cannot take.
        PolicyError: rules contradict each other.
    """
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise SchemaMismatch(f"the data has more than one column `{twice[0]}`; rename one before the policy is applied")
    compiler = _Compiler(policy, schema)
    return compiler.version_1() if policy.version == 1 else compiler.version_2()


class _Compiler:
    def __init__(self, policy: Policy, schema: pa.Schema) -> None:
        self._policy = policy
        self._input = schema
        self._types: dict[str, pa.DataType] = {field.name: field.type for field in schema}
        self._techniques: dict[str, list[Technique]] = {name: [] for name in schema.names}
        self._rules: dict[str, list[str]] = {name: [] for name in schema.names}
        self._reasons: dict[str, str] = {}
        self._steps: list[Step] = []
        self._warnings: list[str] = []

    def version_1(self) -> Plan:
        for rule in self._policy.rules:
            for action in rule.actions:
                self._version_1_action(rule, action)
        kept = [name for name in self._types if not self._techniques[name]]
        if kept:
            self._reasons |= dict.fromkeys(kept, "no rule is about it")
            self._warnings.append(f"kept as they are, since no rule is about them: {', '.join(kept)}")
        return self._plan()

    def _version_1_action(self, rule: Rule, action: Action) -> None:
        technique, match = action.technique, rule.columns
        if isinstance(technique, SuppressRecord):
            text = technique.condition or ""
            self._suppress_records(two_valued(parse_condition(text)), text, action.location)
            return
        names = (technique.columns if isinstance(technique, SuppressAttribute) else ()) or match.values
        names = tuple(dict.fromkeys(names))
        present = [name for name in names if name in self._types]
        if len(present) < len(names) and not match.optional:
            absent = next(name for name in names if name not in self._types)
            raise missing("name", absent, list(self._types), rule)
        if isinstance(technique, SuppressAttribute):
            self._suppress_attributes(present, technique, action.location)
        else:
            for name in present:
                self._transform(name, action)

    def version_2(self) -> Plan:
        for rule in self._policy.rules:
            if rule.where is not None:
                self._suppress_records(rule.where, rule.where_text, rule.location)
        assigned = assign(self._policy.rules, self._input)
        self._apply_default([name for name in self._input.names if name not in assigned])
        for rule in self._policy.rules:
            for name in [name for name in self._input.names if assigned.get(name) is rule]:
                if rule.keep is not None:
                    self._reasons[name] = rule.keep
                    self._rules[name].append(rule.location.rule)
                self._chain(name, rule.actions)
        return self._plan()

    def _chain(self, name: str, actions: Sequence[Action]) -> None:
        for action in actions:
            if name not in self._types:
                raise PolicyError("nothing can follow `drop` in a rule's actions", action.location)
            if isinstance(action.technique, SuppressAttribute):
                if action.technique.columns:
                    raise PolicyError("name the columns in `match`; here it is `drop`", action.location)
                self._suppress_attributes([name], action.technique, action.location)
            elif isinstance(action.technique, SuppressRecord):
                raise PolicyError("rows are suppressed by a rule with `where`", action.location)
            else:
                self._transform(name, action)

    def _apply_default(self, uncovered: list[str]) -> None:
        default = self._policy.default
        if not uncovered:
            return
        if default == "fail":
            columns = ", ".join(f"`{name}`" for name in uncovered)
            raise SchemaMismatch(
                f"no rule covers {'columns' if len(uncovered) > 1 else 'column'} {columns}; "
                "add a rule with actions, or `keep: {reason: ...}`, for example\n"
                f"  - match: {{name: {uncovered[0]}}}\n    actions: [drop]"
            )
        self._reasons |= dict.fromkeys(uncovered, f"default: {default}")
        if default == "drop":
            self._suppress_attributes(uncovered, SuppressAttribute(), Location(1, 1, "default"))

    def _suppress_records(self, condition: Condition, text: str, location: Location) -> None:
        try:
            condition.check(pa.schema(list(self._types.items())))
        except SchemaMismatch as error:
            raise SchemaMismatch(f"{location}: {error}") from None
        self._steps.append(SuppressRecords(condition, text, location.rule))

    def _suppress_attributes(self, names: list[str], technique: Technique, location: Location) -> None:
        for name in names:
            del self._types[name]
            self._note(name, technique, location)
        if names:
            self._steps.append(SuppressAttributes(tuple(names), location.rule))

    def _transform(self, name: str, action: Action) -> None:
        transformation = cast(Transformation, action.technique)  # the other techniques are handled before
        try:
            self._types[name] = transformation.output_type(self._types[name])
            for parameter, other in transformation.other_columns.items():
                self._check_other(name, parameter, other)
        except SchemaMismatch as error:
            raise SchemaMismatch(f"{action.location}: column `{name}`: {error}") from None
        self._note(name, transformation, action.location)
        self._steps.append(Transform(name, transformation, action.location.rule))

    def _check_other(self, name: str, parameter: str, other: str) -> None:
        """Check a column that a technique for column `name` looks at as it came in."""
        if other == name:
            raise SchemaMismatch(f"`{parameter}: {other}` is the column itself; leave out `{parameter}`")
        if other not in self._input.names:
            raise SchemaMismatch(
                f"`{parameter}: {other}` is no column of the data{did_you_mean(other, self._input.names)}"
            )
        kind = self._input.field(other).type
        if not has_canonical_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
            raise SchemaMismatch(
                f"`{parameter}: {other}` is {type_name(kind)}; it takes text, integers, dates, decimals and booleans, "
                "whose equal values have one text"
            )

    def _note(self, name: str, technique: Technique, location: Location) -> None:
        self._techniques[name].append(technique)
        self._rules[name].append(location.rule)
        self._warnings += [f"column `{name}`: {note}" for note in technique.notes()]

    def _plan(self) -> Plan:
        if not self._types:
            raise SchemaMismatch("the policy drops every column; nothing would be written")
        for guarantee in self._policy.guarantees:
            for name in guarantee.quasi_identifiers:
                if name not in self._types:
                    raise SchemaMismatch(f"{guarantee.location}: quasi-identifier `{name}` is no column of the output")
                if pa.types.is_nested(unwrapped(self._types[name])):
                    raise SchemaMismatch(
                        f"{guarantee.location}: quasi-identifier `{name}` is nested; name plain columns"
                    )
        return Plan(
            policy_digest=self._policy.digest,
            policy_label=self._policy.label,
            policy_version=self._policy.version,
            domain=self._policy.domain,
            input_schema=pa.schema([(field.name, without_metadata(field.type)) for field in self._input]),
            output_schema=pa.schema([self._output_field(name, kind) for name, kind in self._types.items()]),
            steps=tuple(self._steps),
            columns=tuple(self._outcome(field) for field in self._input),
            guarantees=self._policy.guarantees,
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _output_field(self, name: str, kind: pa.DataType) -> pa.Field:
        # Metadata may hold values (polars keeps categories there): of it, only tags go on. What a tag says of the input
        # is true of the output as long as somebody gets the input back.
        ended = any(technique.one_way for technique in self._techniques[name])
        kept = () if ended else tags(self._input.field(name))
        return pa.field(name, without_metadata(kind), metadata={TAGS: ",".join(kept)} if kept else None)

    def _outcome(self, field: pa.Field) -> ColumnOutcome:
        techniques = self._techniques[field.name]
        output_type = self._types.get(field.name)
        dropped = output_type is None
        transformed = bool(techniques) and not dropped
        return ColumnOutcome(
            name=field.name,
            input_type=type_name(field.type),
            output_type=None if dropped else type_name(output_type),
            decision="dropped" if dropped else "transformed" if transformed else "kept",
            techniques=tuple(technique.type for technique in techniques),
            reason=self._reasons.get(field.name, ""),
            rules=tuple(self._rules[field.name]),
            reversible=transformed and all(technique.reversible for technique in techniques),
            linkable=not dropped and all(technique.is_linkable for technique in techniques),
            tags=tags(field),
        )
