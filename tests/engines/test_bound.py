"""A Plan with its keys."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pyarrow as pa
import pytest

from cape_airflow.engines import BoundPlan
from cape_airflow.errors import DataError, KeyUnavailable, SchemaMismatch, ValueRefused
from cape_airflow.keys import KeyRing
from cape_airflow.policy import SuppressAttributes, Transform
from cape_airflow.transformations import create


def one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def test_a_batch_becomes_what_the_plan_says(plan, keys, customers) -> None:
    batch = one_batch(customers(20))
    output = BoundPlan(plan, keys).run(batch)
    assert output.schema.equals(plan.output_schema, check_metadata=True)
    assert output.num_rows == 18
    assert all(name.startswith("t1_") for name in output["name"].to_pylist())
    assert {day.timetuple().tm_yday for day in output["born"].to_pylist()} == {1}
    assert output["country"].to_pylist() == [c for n, c in enumerate(batch["country"].to_pylist()) if n % 10]


def test_only_the_columns_that_the_plan_reads_are_needed_in_any_order(plan, keys, customers) -> None:
    batch = one_batch(customers(20))
    fewer = batch.select([*reversed(plan.read_columns)])
    assert "phone" not in fewer.schema.names
    assert BoundPlan(plan, keys).run(fewer).equals(BoundPlan(plan, keys).run(batch))


def test_columns_are_counted_over_the_rows_that_came_out(plan, keys, customers) -> None:
    bound = BoundPlan(plan, keys)
    for start in (0, 10):
        bound.run(one_batch(customers(20).slice(start, 10)))
    counts = {column.name: column for column in bound.columns()}
    assert list(counts) == customers(1).column_names
    assert (counts["email"].values, counts["email"].nulls) == (12, 6)
    assert (counts["age"].values, counts["age"].decision) == (18, "kept")
    assert (counts["phone"].values, counts["phone"].techniques) == (0, ("suppress-attribute",))


def test_values_that_went_in_are_counted_also_where_none_come_out(planned) -> None:
    batch = pa.record_batch({"a": ["x", None, "y"], "b": [1, 2, 3]})
    plan = planned(
        batch.schema,
        "{match: {name: a}, actions: [{transform: {type: suppress-value}}]}",
        "{match: {name: b}, actions: [{transform: {type: row-redact, condition: b = 3}}]}",
    )
    bound = BoundPlan(plan, KeyRing())
    assert bound.run(batch)["a"].to_pylist() == [None, None]
    assert (bound.columns()[0].values, bound.columns()[0].nulls) == (1, 2)


def test_positions_of_the_rows_that_are_left_are_told(planned) -> None:
    batch = pa.record_batch({"a": [1, 2, 3, 4, 5]})
    redact = "{match: {name: a}, actions: [{transform: {type: row-redact, condition: a = %d}}]}"
    bound = BoundPlan(planned(batch.schema, redact % 2, redact % 5), KeyRing())
    output, survivors = bound.trace(batch)
    assert (output["a"].to_pylist(), survivors.to_pylist()) == ([1, 3, 4], [0, 2, 3])
    assert bound.trace(batch.slice(2, 2))[1] is None


def test_a_missing_key_is_found_before_the_first_row(plan) -> None:
    with pytest.raises(KeyUnavailable, match="no key `customers`"):
        BoundPlan(plan, KeyRing())


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"nmae": ["x"]}, "column `name`, which the plan was compiled with, is not in the data; did you mean `nmae`"),
        ({"name": [1]}, "column `name` is int64, and was string when the plan was compiled"),
    ],
)
def test_C6_data_that_the_plan_was_not_compiled_for_is_refused(plan, keys, batch, words: str) -> None:
    with pytest.raises(SchemaMismatch, match=words):
        BoundPlan(plan, keys).run(pa.record_batch(batch))


def test_values_that_a_technique_refuses_are_told_with_column_and_rule_once(planned) -> None:
    batch = pa.record_batch({"a": [1.0, 3e38]})
    rule = "{match: {name: a}, actions: [{transform: {type: numeric-rounding, dtype: Byte, precision: 0}}]}"
    with pytest.raises(ValueRefused) as caught:
        BoundPlan(planned(batch.schema, rule), KeyRing()).run(batch)
    assert str(caught.value).startswith("rules[0].actions[0].transform: column `a`, `numeric-rounding`: 1 ")
    assert str(caught.value).count("`a`") == 1
    assert caught.value.__cause__ is caught.value.__context__ is None


class Broken(type(create({"type": "suppress-value"}))):
    """A technique with an error in it."""

    result: object = None

    def output_type(self, input_type: pa.DataType) -> pa.DataType:
        return input_type

    def bind(self, binding):
        def kernel(array: pa.Array) -> pa.Array:
            if self.result is None:
                raise KeyError(f"S3CRET {array}")
            return self.result

        return kernel


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, r"rules\[0\]: column `a`, `suppress-value` failed \(KeyError\)"),
        (pa.array(["x"]), "2 values became 1: an error of the technique"),
        (pa.array([1, 2]), "column `a` came out as int64, and not as string"),
    ],
)
def test_S3_a_technique_that_breaks_its_contract_is_an_error_without_values(planned, result, words: str) -> None:
    batch = pa.record_batch({"a": ["S3CRET", "y"]})
    plan = planned(batch.schema, "{match: {name: a}, actions: [{transform: {type: suppress-value}}]}")
    plan = dataclasses.replace(plan, steps=(Transform("a", Broken.model_construct(result=result), "rules[0]"),))
    with pytest.raises(DataError, match=words) as caught:
        BoundPlan(plan, KeyRing()).run(batch)
    assert "S3CRET" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_dictionary_keeps_no_values_of_rows_that_are_gone(planned) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 1], pa.int8()), ["b", "S3CRET", "a"], ordered=True)
    batch = pa.record_batch({"a": column, "n": [1, 2, 3, 4]})
    plan = planned(batch.schema, "{match: {name: n}, actions: [{transform: {type: row-redact, condition: n = 4}}]}")
    output = BoundPlan(plan, KeyRing()).run(batch)["a"]
    assert output.to_pylist() == ["a", "b", None]
    assert output.dictionary.to_pylist() == ["b", "a"]
    assert output.type == column.type


def test_rules_of_version_1_see_what_earlier_ones_made(planned) -> None:
    batch = pa.record_batch({"a": [14.0, 16.0]})
    plan = planned(
        batch.schema,
        "{match: {name: a}, actions: [{transform: {type: round, precision: -1}}]}",
        "{match: {name: a}, actions: [{transform: {type: row-redact, condition: a = 10}}]}",
    )
    assert BoundPlan(plan, KeyRing()).run(batch)["a"].to_pylist() == [20.0]


def test_a_column_may_be_transformed_and_then_dropped(planned) -> None:
    batch = pa.record_batch({"a": [1.0], "b": ["x"]})
    plan = planned(batch.schema, "{match: {name: a}, actions: [{transform: {type: round, precision: 0}}, drop]}")
    assert isinstance(plan.steps[-1], SuppressAttributes)
    assert BoundPlan(plan, KeyRing()).run(batch).to_pydict() == {"b": ["x"]}


KEPT = {
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["S3CRET", "x"])),
    "dictionary of views": pa.DictionaryArray.from_arrays(
        pa.array([0, 1]), pa.array(["S3CRET", "x"], pa.string_view())
    ),
    "list of views": pa.array([["S3CRET"], ["x"]], pa.list_view(pa.string_view())),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["S3CRET", "x"])),
}
SUPPRESS = "{match: {name: n}, actions: [{transform: {type: row-redact, condition: n = 1}}]}"


@pytest.mark.parametrize("kind", KEPT)
def test_kept_columns_of_every_kind_pass_the_suppression_of_rows(planned, kind: str) -> None:
    batch = pa.record_batch({"a": KEPT[kind], "n": [1, 2]})
    output = BoundPlan(planned(batch.schema, SUPPRESS), KeyRing()).run(batch)["a"]
    assert output.type == KEPT[kind].type
    assert output.to_pylist() == KEPT[kind].to_pylist()[1:]
    assert b"S3CRET" not in pickle.dumps(output)


def test_a_batch_has_the_types_of_the_output_schema_also_inside(planned) -> None:
    kind = pa.struct([pa.field("x", pa.int64(), metadata={"top": "S3CRET"})])
    batch = pa.record_batch({"a": pa.array([{"x": 1}], kind), "n": [1]})
    plan = planned(pa.schema([("a", pa.struct([("x", pa.int64())])), ("n", pa.int64())]), SUPPRESS)
    output = BoundPlan(plan, KeyRing()).run(batch)
    assert output["a"].type.equals(plan.output_schema.field("a").type, check_metadata=True)
    assert b"S3CRET" not in pickle.dumps(output)


def test_what_lies_under_nulls_is_not_handed_on(planned) -> None:
    batch = pa.record_batch({"n": pa.array(np.array([111222333, 5]), mask=np.array([True, False]))})
    output = BoundPlan(planned(batch.schema, SUPPRESS), KeyRing()).run(batch)
    assert np.frombuffer(output["n"].buffers()[1], np.int64).tolist() == [0, 5]


@pytest.mark.parametrize(("value", "words"), [(1, r"rules\[0\].*: the suppression of rows"), (7, "the output: column")])
def test_S3_broken_data_is_an_error_without_values_wherever_it_is_found(planned, value: int, words: str) -> None:
    broken = pa.ListViewArray.from_arrays(pa.array([9, 0], pa.int32()), pa.array([1, 1], pa.int32()), ["S3CRET"])
    batch = pa.record_batch({"a": broken, "n": [value + 1, value]})
    plan = planned(batch.schema, SUPPRESS)
    with pytest.raises(DataError, match=words) as caught:
        BoundPlan(plan, KeyRing()).run(batch)
    assert "S3CRET" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
