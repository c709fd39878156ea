"""Lineage of a real Airflow, whose OpenLineage provider was told of nothing but where to write its events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import RealAirflow, wait_for
from tests.lineage.customers import customers, secrets_of, without_a_subject
from tests.lineage.published import check_event

pytestmark = pytest.mark.integration

DAG = "cape_policy_file"
AIRFLOWS = "https://raw.githubusercontent.com/apache/airflow/providers-openlineage/"


def _events(real_airflow: RealAirflow, run: str, last: str) -> list[dict[str, Any]]:
    """Return the events of the task in a run, as soon as the last one is there."""

    def all_of_them() -> list[dict[str, Any]]:
        lines = real_airflow.lineage.read_text().splitlines() if real_airflow.lineage.exists() else []
        events = [json.loads(line) for line in lines]
        ours = [event for event in events if event["job"]["name"] == f"{DAG}.deidentify" and _run(event) == run]
        return ours if any(event["eventType"] == last for event in ours) else []

    return wait_for(f"{last} of {run}", all_of_them, 60)


def _run(event: dict[str, Any]) -> str:
    return str(event["run"]["facets"]["airflow"]["dagRun"]["run_id"])


def test_a_run_is_told_with_the_truth_about_each_column(real_airflow: RealAirflow, tmp_path: Path) -> None:
    places = customers(tmp_path)
    run = real_airflow.run(DAG, **places)
    real_airflow.wait_for_state(DAG, run, "deidentify", "success")
    start, complete = _events(real_airflow, run, "COMPLETE")
    check_event(start, (AIRFLOWS,))
    check_event(complete, (AIRFLOWS,))
    for event in (start, complete):
        assert event["job"]["namespace"] == "tests"
        assert [each["name"] for each in event["inputs"]] == [places["source"]]
        assert [each["name"] for each in event["outputs"]] == [places["target"]]
    fields = complete["outputs"][0]["facets"]["columnLineage"]["fields"]
    masking = {name: field["inputFields"][0]["transformations"][0]["masking"] for name, field in fields.items()}
    assert masking == {"email": True, "password": True, "visit": True, "country": False}
    facet, result = complete["run"]["facets"]["cape_policy"], real_airflow.xcom(DAG, run, "deidentify")
    assert (facet["policyDigest"], facet["jobId"]) == (result["policy_digest"], result["job_id"])
    assert complete["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == result["rows_out"] == 2
    text = real_airflow.lineage.read_text()
    assert [each for each in secrets_of(places) if each in text] == []


def test_a_failed_run_is_told_with_the_class_of_its_error_and_without_a_value(
    real_airflow: RealAirflow, tmp_path: Path
) -> None:
    places = customers(tmp_path)
    without_a_subject(places)
    run = real_airflow.run(DAG, **places)
    real_airflow.wait_for_state(DAG, run, "deidentify", "failed")
    event = _events(real_airflow, run, "FAIL")[-1]
    check_event(event, (AIRFLOWS,))
    assert event["run"]["facets"]["cape_policy"]["error"] == {"type": "ValueRefused"}
    assert "ValueRefused" in event["run"]["facets"]["errorMessage"]["message"]
    assert "outputStatistics" not in event["outputs"][0].get("outputFacets", {})
    text = real_airflow.lineage.read_text()
    assert [each for each in [*secrets_of(places), "canary@example.com"] if each in text] == []
