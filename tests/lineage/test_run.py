"""Our facet of a run, and its schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest

from cape_airflow.errors import CoordinatorRefused, ValueRefused
from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart, JobState, Progress
from cape_airflow.lineage import PolicyRun, run_facet_schema
from cape_airflow.lineage.run import PRODUCER, SCHEMA_URL, Failure
from cape_airflow.lineage.trace import trace
from cape_airflow.policy import compile_plan, load_policy
from tests.lineage.published import ours

POLICY = """
version: 2
rules:
  - match: {name: email}
    actions: [{transform: {type: suppress-value, replacement: CANARY-1}}]
  - match: {name: country}
    keep: {reason: CANARY-2}
  - match: {name: phone}
    actions: [drop]
  - where: "country = 'CANARY-3'"
    actions: [suppress-record]
"""
PLAN = compile_plan(load_policy(POLICY), pa.schema({name: pa.string() for name in ("email", "country", "phone")}))
NOW = datetime(2026, 11, 21, tzinfo=UTC)
START = JobStart(
    job_id="0" * 32,
    policy_digest=PLAN.policy_digest,
    engine="local",
    kernels="native",
    source="/in",
    target="/out",
    started_at=NOW,
)
FINISH = JobFinish(
    state=JobState.SUCCEEDED,
    progress=Progress(rows_in=5, rows_out=4),
    columns=(
        ColumnCounts(name="email", decision="transformed", values=3, nulls=1),
        ColumnCounts(name="country", decision="kept", values=4),
        ColumnCounts(name="phone", decision="dropped"),
    ),
    finished_at=NOW,
)


def _complete() -> dict[str, Any]:
    return PolicyRun.of("payroll", START, trace(PLAN), FINISH, None).to_dict()


def test_the_facet_says_which_policy_ran_in_which_job_and_what_became_of_each_column() -> None:
    facet = _complete()
    assert facet["policyDigest"] == PLAN.policy_digest
    assert (facet["project"], facet["jobId"], facet["engine"]) == ("payroll", "0" * 32, "local")
    assert (facet["rowsIn"], facet["rowsOut"], facet["rowsSuppressed"]) == (5, 4, 1)
    by_name = {column["name"]: column for column in facet["coverage"]}
    assert (by_name["email"]["values"], by_name["email"]["nulls"], by_name["email"]["masked"]) == (3, 1, True)
    assert (by_name["country"]["decision"], by_name["country"]["masked"]) == ("kept", False)
    assert "values" not in by_name["phone"]
    assert [each["column"] for each in facet["filters"]] == ["country"]


def test_no_parameter_reason_or_constant_of_a_policy_is_in_the_facet() -> None:
    assert "CANARY" not in json.dumps(_complete())


@pytest.mark.parametrize(
    "run",
    [
        PolicyRun.of("payroll", START, trace(PLAN), FINISH, None),
        PolicyRun.of(None, START, trace(PLAN), None, Failure(type="ValueRefused")),
        PolicyRun.of(None, None, None, None, None),
    ],
    ids=["complete", "failed", "start"],
)
def test_every_state_of_the_facet_is_valid_under_the_schema_that_it_names(run: PolicyRun) -> None:
    ours().validate({"_producer": PRODUCER, "_schemaURL": SCHEMA_URL, **run.to_dict()})


@pytest.mark.parametrize("broken", [{"policyDigest": "CANARY"}, {"coverage": [{"name": "a"}]}, {"rowsIn": -1}])
def test_the_schema_refuses_what_is_no_such_facet(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        ours().validate({"_producer": PRODUCER, "_schemaURL": SCHEMA_URL, **_complete(), **broken})


def test_the_schema_in_the_docs_is_the_packages(repository: Path) -> None:
    path = SCHEMA_URL.partition("#")[0].partition("/main/")[2]
    assert json.loads((repository / path).read_text()) == run_facet_schema()


def test_of_an_error_the_class_and_the_code_of_a_refusal_are_told_and_never_the_message() -> None:
    assert Failure.of(ValueRefused("CANARY")) == Failure(type="ValueRefused")
    assert Failure.of(KeyError("CANARY")) == Failure(type="KeyError")
    refused = CoordinatorRefused("CANARY", 409, "policy-not-approved")
    assert Failure.of(refused) == Failure(type="CoordinatorRefused", code="policy-not-approved")
