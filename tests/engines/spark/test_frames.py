"""Policies on DataFrames of Spark."""

from __future__ import annotations

import traceback

import pyarrow as pa
import pytest

from cape_airflow import apply as apply_here
from cape_airflow import compile_plan, load_policy
from cape_airflow import spark as on_spark
from cape_airflow.engines import BoundPlan
from cape_airflow.engines.spark import frames
from cape_airflow.engines.spark.division import divide
from cape_airflow.errors import DataError, GuaranteeBroken, KeyUnavailable, SchemaMismatch, ValueRefused

pytestmark = pytest.mark.integration

HASH = "{match: {name: name}, actions: [{transform: {type: keyed-hash, key: {ref: customers}}}]}"
MASK = "{match: {name: card}, actions: [{transform: {type: character-mask, keep_last: 2}}]}"
NOISE = "{match: {name: age}, actions: [{transform: {type: add-noise, min: -5, max: 5}}]}"
PEOPLE = pa.table(
    {
        "name": ["Alice", None, "Zoë", "日本"] * 5,
        "card": ["1234", "1", None, "٣٤٥"] * 5,
        "age": pa.array(range(20), pa.int64()),
        "group": [n // 4 for n in range(20)],
    }
)


@pytest.fixture(scope="module")
def people(spark):
    return spark.createDataFrame(PEOPLE).repartition(3)


def arrow(df) -> pa.Table:
    return df.toArrow().sort_by("age")


def optimized(df, capsys) -> str:
    df.explain(True)
    return capsys.readouterr().out.partition("== Optimized Logical Plan ==")[2]


def test_a_policy_does_on_spark_what_it_does_in_memory(people, policy, provider) -> None:
    text = policy(
        HASH, MASK, "{match: {name: group}, actions: [drop]}", '{where: "age < 7", actions: [suppress-record]}'
    )
    assert arrow(on_spark.apply(text, people, provider)).equals(apply_here(text, PEOPLE, provider))


def test_nothing_runs_until_spark_is_asked(spark, people, policy, provider) -> None:
    spark.sparkContext.setJobGroup("lazy", "apply alone")
    on_spark.apply(policy(HASH), people, provider)
    assert list(spark.sparkContext.statusTracker().getJobIdsForGroup("lazy")) == []


def test_only_touched_columns_travel_to_python_and_in_one_trip(people, policy, provider, capsys) -> None:
    age = "{match: {name: age}, actions: [{transform: {type: round, precision: -1}}]}"
    plan = optimized(on_spark.apply(policy(HASH, age, MASK), people, provider), capsys)
    assert "de_identified(name" in plan
    [trip] = [line for line in plan.partition("== Physical Plan ==")[0].splitlines() if "ArrowEvalPython [" in line]
    assert "card" not in trip
    assert "group" not in trip
    assert trip.count("de_identified(") == 1


def test_a_policy_of_exact_forms_makes_no_trip_at_all(people, policy, capsys) -> None:
    suppressed = "{match: {name: name}, actions: [{transform: {type: suppress-value, replacement: hidden}}]}"
    assert "Python" not in optimized(on_spark.apply(policy(MASK, suppressed), people), capsys)


def test_noise_is_drawn_once_for_each_row_of_a_computation(people, policy, capsys) -> None:
    noisy = on_spark.apply(policy(NOISE), people)
    both = noisy.filter("age >= 0").selectExpr("age", "age + 0 as same")
    assert "de_identified" in optimized(both, capsys)
    assert all(row["age"] >= 0 and row["age"] == row["same"] for row in both.collect())


def test_noise_is_fresh_in_every_partition(spark, policy) -> None:
    zeros = spark.range(0, 400, 1, 4).selectExpr("cast(0 as bigint) as age", "spark_partition_id() as part")
    wide = "{match: {name: age}, actions: [{transform: {type: add-noise, min: -1000000000, max: 1000000000}}]}"
    drawn = [row["age"] for row in on_spark.apply(policy(wide), zeros).collect()]
    assert len(set(drawn)) > 390


def test_seeded_noise_is_refused_since_rows_have_no_place(people, policy) -> None:
    seeded = "{match: {name: age}, actions: [{transform: {type: add-noise, min: -5, max: 5, seed: 3}}]}"
    with pytest.raises(SchemaMismatch, match="column `age`: `add-noise` with a `seed`"):
        on_spark.apply(policy(seeded), people)


def test_a_missing_key_is_found_before_anything_runs(people, policy) -> None:
    with pytest.raises(KeyUnavailable, match="customers"):
        on_spark.apply(policy(HASH), people)


def test_refused_values_reach_the_user_as_our_error_without_a_value(spark, policy) -> None:
    huge = spark.createDataFrame([(2**63 - 1,), (5,)], "n bigint")
    rounded = on_spark.apply(policy("{match: {name: n}, actions: [{transform: {type: round, precision: -1}}]}"), huge)
    with (
        pytest.raises(ValueRefused, match=r"rules\[0\].*column `n`, `round`: 1 value") as caught,
        on_spark.own_errors(),
    ):
        rounded.collect()
    assert str(2**63 - 1) not in "".join(traceback.format_exception(caught.value))
    assert "PythonException" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(Exception, match="column `n`, `round`: 1 value") as raw:
        rounded.collect()
    assert str(2**63 - 1) not in str(raw.value)


def test_text_that_is_not_utf_8_is_refused_by_the_exact_form_too(spark, policy) -> None:
    broken = spark.sql("select cast(x'FF41' as string) as card")
    with pytest.raises(ValueRefused, match=r"column `card`, `character-mask`.*UTF-8"), on_spark.own_errors():
        on_spark.apply(policy(MASK), broken).collect()


def test_other_failures_of_a_job_come_without_words_that_may_hold_values(spark, policy) -> None:
    df = spark.createDataFrame([("secret-value",)], "card string").selectExpr("cast(card as int) as card")
    with pytest.raises(DataError, match="CAST_INVALID_INPUT") as caught, on_spark.own_errors():
        on_spark.apply(policy("{match: {name: card}, keep: {reason: test}}"), df).collect()
    assert "secret-value" not in "".join(traceback.format_exception(caught.value))


def test_what_is_wrong_before_a_row_is_read_is_told_in_spark_s_words(spark) -> None:
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException, match="nowhere"), on_spark.own_errors():
        spark.read.parquet("/nowhere/at-all")


def test_names_with_dots_backticks_and_spaces_are_taken_as_they_are(spark, policy, provider) -> None:
    table = pa.table({"a.b": ["x"], "c`d": ["1234"], "e f": [1]})
    text = policy(
        "{match: {name: a.b}, actions: [{transform: {type: keyed-hash, key: {ref: customers}}}]}",
        "{match: {name: c`d}, actions: [{transform: {type: character-mask}}]}",
        '{where: "`e f` = 2", actions: [suppress-record]}',
    )
    assert (
        on_spark.apply(text, spark.createDataFrame(table), provider).toArrow().equals(apply_here(text, table, provider))
    )


def test_kept_columns_of_types_that_python_never_sees_pass_untouched(spark, policy, provider) -> None:
    odd = spark.sql(
        "select 'x' as name, make_ym_interval(1, 2) as ym, interval 3 day as dt, parse_json('{\"a\": 1}') as v, "
        "null as nothing, map('k', array(1, null)) as m, named_struct('t', timestamp'2020-01-01 00:00:00') as s, "
        "x'00FF' as bin, timestamp_ntz'2020-06-01 12:00:00' as ntz, make_interval(1, 2) as cal"
    )
    output = on_spark.apply(policy(HASH), odd, provider)
    assert output.schema[1:] == odd.schema[1:]
    as_text = "cast(struct(ym, dt, v, m, s, bin, ntz, cal) as string)"
    assert output.selectExpr(as_text).collect() == odd.selectExpr(as_text).collect()


def test_a_column_that_python_never_sees_cannot_be_transformed(spark, policy, provider) -> None:
    odd = spark.sql("select make_ym_interval(1, 2) as name")
    with pytest.raises(SchemaMismatch, match="column `name`"):
        on_spark.apply(policy(HASH), odd, provider)


def test_a_plan_of_other_data_is_refused(spark, people, policy, ring) -> None:
    plan = on_spark.compile_for(load_policy(policy(HASH)), people)
    with pytest.raises(SchemaMismatch, match="column `name` is int64, and was string"):
        on_spark.apply_plan(plan, ring, people.withColumn("name", people["age"]))


def test_without_functions_over_arrow_arrays_whole_batches_travel_and_the_output_is_the_same(
    people, policy, provider, monkeypatch, capsys
) -> None:
    text = policy(HASH, MASK, "{where: \"name like 'Z%'\", actions: [suppress-record]}")
    monkeypatch.setattr(frames, "_knows_arrow_functions", lambda df: False)
    output = on_spark.apply(text, people, provider)
    assert "MapInArrow" in optimized(output, capsys)
    assert arrow(output).equals(apply_here(text, PEOPLE, provider))


def test_late_suppressions_leave_all_to_the_kernels_and_the_output_is_the_same(people, provider) -> None:
    text = """
label: cape
version: 1
rules:
  - {match: {name: card}, actions: [{transform: {type: tokenizer, key: {ref: old}}}]}
  - {match: {name: age}, actions: [{transform: {type: numeric-rounding, dtype: Long, precision: -1}}]}
  - {match: {name: age}, actions: [{transform: {type: row-redact, condition: age == 10}}]}
  - {match: {name: name}, actions: [drop]}
"""
    plan = on_spark.compile_for(load_policy(text), people)
    assert divide(plan).kernels.output_schema.names == ["card", "age"]
    keys = ["card", "age", "group"]
    wanted = apply_here(text, PEOPLE, provider).sort_by([(name, "ascending") for name in keys])
    found = on_spark.apply(text, people, provider).toArrow().sort_by([(name, "ascending") for name in keys])
    assert found.equals(wanted)


GUARANTEE = "guarantees: [{{type: k-anonymity, k: {k}, quasi_identifiers: [group]}}]"


def test_a_guarantee_that_holds_lets_the_output_pass(people, policy, provider) -> None:
    assert on_spark.apply(policy(HASH, more=GUARANTEE.format(k=4)), people, provider).count() == 20


def test_a_broken_guarantee_is_told_as_on_every_engine(people, policy, provider) -> None:
    text = policy(HASH, '{where: "age = 3", actions: [suppress-record]}', more=GUARANTEE.format(k=4))
    with pytest.raises(GuaranteeBroken) as here:
        apply_here(text, PEOPLE, provider)
    with pytest.raises(GuaranteeBroken) as there:
        on_spark.apply(text, people, provider)
    assert str(there.value) == str(here.value)


def test_guarantees_compare_text_by_its_bytes_and_take_null_for_a_group(spark, policy) -> None:
    text = """label: x
version: 2
default: keep
guarantees:
  - {type: k-anonymity, k: 2, quasi_identifiers: [a]}
  - {type: k-anonymity, k: 2, quasi_identifiers: [b]}
rules:
  - {match: {name: a}, keep: {reason: test}}
"""
    df = spark.sql("select * from values ('x', 1), ('X', 1), (null, 2), (null, 2) as t(a, b)").selectExpr(
        "a collate UTF8_LCASE as a", "b"
    )
    with pytest.raises(GuaranteeBroken, match="over a does not hold: 2 rows are in 2 groups"):
        on_spark.apply(text, df)


def test_a_guarantee_over_noise_is_refused_for_the_noise_is_drawn_again(people, policy) -> None:
    text = policy(NOISE, more="guarantees: [{type: k-anonymity, k: 2, quasi_identifiers: [age]}]")
    with pytest.raises(DataError, match="noise in `age`"):
        on_spark.apply(text, people)


def test_counts_are_those_of_the_other_engines(people, policy, ring, provider) -> None:
    hidden = "{match: {name: card}, actions: [{transform: {type: suppress-value}}]}"
    text = policy(
        HASH, hidden, '{where: "age < 5", actions: [suppress-record]}', "{match: {name: group}, actions: [drop]}"
    )
    bound = BoundPlan(compile_plan(load_policy(text), PEOPLE.schema), ring)
    bound.run(PEOPLE.combine_chunks().to_batches()[0])
    plan = on_spark.compile_for(load_policy(text), people)
    output, counts = on_spark.counted(plan, ring, people)
    assert arrow(output).equals(apply_here(text, PEOPLE, provider))
    assert (counts.rows_in, counts.rows_out, counts.columns) == (20, 15, bound.columns())


def test_rows_that_are_not_counted_on_the_way_in_let_the_filter_pass(
    people, policy, ring, spark, tmp_path, capsys
) -> None:
    people.write.parquet(str(tmp_path / "people"))
    df = spark.read.parquet(str(tmp_path / "people"))
    plan = on_spark.compile_for(load_policy(policy('{where: "age < 5", actions: [suppress-record]}')), df)
    output, counts = on_spark.counted(plan, ring, df, rows_in=False)
    output.explain()
    assert "GreaterThanOrEqual(age,5)" in capsys.readouterr().out
    assert output.count() == 15
    assert (counts.rows_in, counts.rows_out) == (None, 15)


def test_counts_of_no_rows_are_zero(people, policy, ring) -> None:
    plan = on_spark.compile_for(load_policy(policy(HASH)), people)
    output, counts = on_spark.counted(plan, ring, people.filter("age > 100"))
    assert output.toArrow().num_rows == 0
    assert (counts.rows_in, counts.rows_out) == (0, 0)
    assert {(each.values, each.nulls) for each in counts.columns} == {(0, 0)}
