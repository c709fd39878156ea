"""Column lineage of a plan."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.engines import BoundPlan
from cape_airflow.keys import Key, KeyRing, Secret
from cape_airflow.lineage import Influence, Lineage
from cape_airflow.lineage.trace import trace
from cape_airflow.policy import Plan, compile_plan, load_policy
from cape_airflow.transformations import Transformation, create, techniques

KEY = {"key": {"ref": "k"}}
ONE_WAY = [
    [{"type": "keyed-hash", **KEY}],
    [{"type": "character-mask", "keep_last": 2}],
    [{"type": "suppress-value"}],
    [{"type": "suppress-value", "replacement": "gone"}],
    [{"type": "tokenizer", **KEY}],
]
REVERSIBLE = [[{"type": "deterministic-encryption", **KEY}]]
REVEALED = [
    [{"type": "deterministic-encryption", **KEY}, {"type": "reveal", **KEY}],
    [{"type": "deterministic-encryption", **KEY}] * 2 + [{"type": "reveal", **KEY}] * 2,
]
NAMES = ("alice", "bertram", "cornelia", "dominique")


class _Keys:
    def get(self, name: str) -> Key:
        return Key(name, {1: Secret(bytes(range(64)))})

    def names(self) -> tuple[str, ...]:
        return ()


def _chains() -> st.SearchStrategy[list[dict[str, Any]]]:
    blocks = st.lists(st.sampled_from([*ONE_WAY, *REVERSIBLE, *REVEALED]), max_size=3)
    return blocks.map(lambda each: list(chain.from_iterable(each)))


def _rule(column: str, actions: list[dict[str, Any]]) -> dict[str, Any]:
    if not actions:
        return {"match": {"name": column}, "keep": {"reason": "needed"}}
    return {"match": {"name": column}, "actions": [{"transform": each} for each in actions]}


def _plan(rules: list[dict[str, Any]], schema: pa.Schema, version: int = 2) -> Plan:
    return compile_plan(load_policy(json.dumps({"version": version, "rules": rules})), schema)


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.one_of(_chains(), st.just(["drop"])), min_size=1))
def test_every_column_is_traced_and_masked_exactly_where_what_comes_out_is_not_what_went_in(
    columns: dict[str, list[dict[str, Any]]],
) -> None:
    columns["kept"] = []
    rules = [
        {"match": {"name": name}, "actions": ["drop"]} if actions == ["drop"] else _rule(name, actions)
        for name, actions in columns.items()
    ]
    schema = pa.schema([pa.field(name, pa.string(), metadata={"cape.tags": "pii"}) for name in columns])
    plan = _plan(rules, schema)
    rows = pa.RecordBatch.from_arrays([pa.array(NAMES)] * len(schema), schema=plan.input_schema)
    output = BoundPlan(plan, KeyRing(_Keys())).run(rows.select(list(plan.read_columns)))
    lineage = trace(plan)
    assert [each.name for each in lineage.columns] == schema.names
    for column in lineage.columns:
        if column.output_type is None:
            assert (column.name in output.schema.names, column.masked, column.output_tags) == (False, True, ())
            continue
        same = output.column(column.name).to_pylist() == list(NAMES)
        assert column.masked is not same
        # The way back exists exactly where a key, and nothing else, stands between the two.
        assert column.reversible == (column.masked and column.output_tags == ("pii",))
        assert column.input_tags == ("pii",)


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in techniques().items() if issubclass(kind, Transformation))
)
def test_one_step_masks_unless_it_reveals_and_is_reversible_where_the_technique_says_so(name: str) -> None:
    spec = {"type": name, **techniques()[name].example.parameters}
    technique = create(spec)
    input_type = pa.type_for_alias(technique.example.input_type)
    [column] = trace(_plan([_rule("x", [spec])], pa.schema({"x": input_type}))).columns
    assert column.masked == technique.masks
    assert column.reversible == technique.reversible
    assert column.linkable == technique.is_linkable
    assert column.techniques == (name,)


def test_rows_are_filtered_by_the_columns_that_a_condition_reads_and_no_constant_is_told() -> None:
    rules = [
        {"where": "country = 'Atlantis' or age < 4242", "actions": ["suppress-record"]},
        *(_rule(name, []) for name in ("country", "age", "name")),
    ]
    lineage = trace(_plan(rules, pa.schema({"country": pa.string(), "age": pa.int64(), "name": pa.string()})))
    assert [(each.column, each.masked) for each in lineage.filters] == [("age", False), ("country", False)]
    assert "rules[0]" in lineage.filters[0].what
    assert "Atlantis" not in lineage.model_dump_json()
    assert "4242" not in lineage.model_dump_json()


def test_a_filter_of_version_1_that_sees_tokens_reads_a_masked_column() -> None:
    rules = [
        {"match": {"name": "name"}, "actions": [{"transform": {"type": "tokenizer", **KEY}}]},
        {"match": {"name": "name"}, "actions": [{"transform": {"type": "suppress-record", "condition": "name = 'a'"}}]},
    ]
    assert [each.masked for each in trace(_plan(rules, pa.schema({"name": pa.string()}), 1)).filters] == [True]


def test_the_subject_of_noise_influences_the_column_and_its_values_stay_hidden() -> None:
    noise = {"type": "add-noise", "min": -9, "max": 9, "unit": "day", "consistent": True, "subject": "patient", **KEY}
    rules = [_rule("visit", [noise]), {"match": {"name": "patient"}, "actions": ["drop"]}]
    visit, patient = trace(_plan(rules, pa.schema({"visit": pa.date32(), "patient": pa.string()}))).columns
    assert visit.influences == (Influence(column="patient", masked=True, what="`subject` of add-noise"),)
    assert patient.influences == ()


def test_lineage_survives_being_stored_while_a_task_is_deferred() -> None:
    lineage = trace(_plan([_rule("a", [{"type": "keyed-hash", **KEY}])], pa.schema({"a": pa.string()})))
    assert Lineage.model_validate(json.loads(json.dumps(lineage.model_dump(mode="json")))) == lineage
