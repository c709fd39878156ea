from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart, JobState, Progress

NOW = datetime(2026, 11, 21, tzinfo=UTC)
START = {
    "job_id": "0" * 32,
    "policy_digest": "1" * 64,
    "engine": "local",
    "kernels": "python",
    "source": "in.csv",
    "target": "out.parquet",
    "started_at": NOW,
}


def test_reports_survive_json():
    finish = JobFinish(
        state=JobState.FAILED,
        progress=Progress(rows_in=3, seconds=0.5),
        columns=(ColumnCounts(name="email", techniques=("keyed-hash",), decision="transformed", values=2, nulls=1),),
        warnings=("a random key",),
        error="ValueRefused: 2 values",
        finished_at=NOW,
    )
    assert JobFinish.model_validate_json(finish.model_dump_json()) == finish
    start = JobStart(**START, origin={"dag_id": "d"})
    assert JobStart.model_validate_json(start.model_dump_json()) == start


@pytest.mark.parametrize(
    "wrong", [{"job_id": "A" * 32}, {"job_id": "0" * 31}, {"policy_digest": "x"}, {"token": "canary"}, {"engine": None}]
)
def test_a_start_with_a_wrong_or_unknown_field_is_refused(wrong):
    with pytest.raises(ValidationError):
        JobStart(**(START | wrong))


@pytest.mark.parametrize("wrong", [{"rows_in": -1}, {"seconds": -0.1}, {"rows_total": -1}])
def test_counts_are_never_negative(wrong):
    with pytest.raises(ValidationError):
        Progress(**wrong)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), "0 rows read, 0 written"),
        (Progress(rows_in=1500, rows_out=1000, seconds=0.5), "1,500 rows read, 1,000 written, 3,000 rows/s"),
        (Progress(rows_in=1, rows_total=2000), "1 of 2,000 rows read, 0 written"),
    ],
)
def test_progress_is_told_in_one_line(progress, text):
    assert progress.describe() == text


def test_a_report_without_an_application_looks_as_it_did_before_there_were_any():
    assert "application_id" not in Progress().model_dump() | JobStart(**START).model_dump(mode="json")
    told = Progress(application_id="application_1795262400000_0001")
    assert told.model_dump(mode="json")["application_id"] == "application_1795262400000_0001"
    assert Progress.model_validate_json(told.model_dump_json()) == told
    assert "application_id" in Progress.model_json_schema(mode="serialization")["properties"]


@pytest.mark.parametrize("wrong", ["", "a b", "a\nb", "-a", "a" * 201, "app/1"])
def test_an_application_id_is_a_short_word(wrong):
    with pytest.raises(ValidationError):
        Progress(application_id=wrong)
