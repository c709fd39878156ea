from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import open_source
from cape_airflow.engines.dry_run import dry_run, sample
from cape_airflow.jobs import DryRun
from cape_airflow.policy import load_policy

POLICY = load_policy(
    "version: 2\nrules:\n"
    "  - {match: {name: email}, actions: [{transform: {type: keyed-hash, key: {ref: nobody-has-it}}}]}\n"
    "  - {match: {name: name}, actions: [drop]}\n"
    "  - {match: {name: zip}, keep: {reason: coarse}}\n"
    "  - {where: zip = '99999', actions: [suppress-record]}\n"
)


def people(count: int) -> pa.Table:
    return pa.table(
        {
            "email": [f"anna{number % 7}@example.org" for number in range(count - 1)] + [None],
            "name": ["Zoë"] * count,
            "zip": ["12345"] * (count - 1) + ["99999"],
        }
    )


def test_it_counts_what_went_in_and_what_came_out_without_the_real_keys() -> None:
    report = dry_run(POLICY, people(40))
    email, name, place = report.columns
    assert (report.policy_digest, report.rows_in, report.rows_out) == (POLICY.digest, 40, 39)
    assert (email.nulls_before, email.nulls_after, email.distinct_before, email.distinct_after) == (1, 0, 7, 7)
    assert (name.decision, name.output_type, name.distinct_after) == ("dropped", None, None)
    assert (place.distinct_before, place.distinct_after) == (2, 1)


def test_examples_are_shapes_of_ten_rows_or_more() -> None:
    email, name, place = dry_run(POLICY, people(40)).columns
    assert [(each.shape, each.rows) for each in email.shapes_before] == [("xxxx9@xxxxxxx.xxx", 39)]
    assert [(each.shape, each.rows) for each in place.shapes_before] == [("99999", 40)]
    assert [each.shape for each in name.shapes_before] == ["xxx"]
    assert [column.shapes_before for column in dry_run(POLICY, people(9)).columns] == [(), (), ()]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_S3_no_value_gets_into_a_report(values: list[str]) -> None:
    policy = load_policy("version: 2\nrules: [{match: {name: a}, keep: {reason: why}}]")
    report = dry_run(policy, pa.table({"a": pa.array([value for value in values for _ in range(12)], pa.string())}))
    assert DryRun.model_validate_json(report.model_dump_json()) == report
    for shape in report.columns[0].shapes_before:
        assert set(shape.shape) <= set("x9 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.binary(), pa.null()])
def test_what_has_no_text_is_counted_without_shapes(kind: pa.DataType) -> None:
    policy = load_policy("version: 2\nrules: [{match: {name: a}, keep: {reason: why}}]")
    [column] = dry_run(policy, pa.table({"a": pa.array([None] * 12, kind)})).columns
    assert (column.nulls_before, column.distinct_before, column.shapes_before) == (12, None, ())


def test_a_sample_is_the_first_rows(tmp_path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(people(40), tmp_path / "people.parquet")
    assert sample(open_source(str(tmp_path / "people.parquet")), 15).num_rows == 15
    assert sample(open_source(str(tmp_path / "people.parquet")), 1000).num_rows == 40
