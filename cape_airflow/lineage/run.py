"""Our facet of a run: which policy ran, in which job, what became of each column, and how it ended."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from cape_airflow.errors import CoordinatorRefused
from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart
from cape_airflow.lineage.trace import ColumnTrace, Fact, Influence, Lineage

FACET = "cape_policy"
_NAME = "CapePolicyRunFacet"
_URL = f"https://raw.githubusercontent.com/capeprivacy/cape_airflow/main/docs/openlineage/1-0-0/{_NAME}.json"
SCHEMA_URL = f"{_URL}#/$defs/{_NAME}"
PRODUCER = "https://github.com/capeprivacy/cape_airflow"
_RUN_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"


class Failure(Fact):
    """Why a run failed: the class of the error, and the machine-readable code of a coordinator's refusal."""

    type: str
    code: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return what may be told of any error: not its message, which may hold a value."""
        code = error.code if isinstance(error, CoordinatorRefused) else ""
        return cls(type=type(error).__name__, code=code or None)


class Coverage(ColumnTrace):
    """What became of one input column, with counts once the run has succeeded.

    Args:
        values: non-null values that went in, over the rows that came out.
        nulls: null values that came out.
    """

    values: int | None = Field(None, ge=0)
    nulls: int | None = Field(None, ge=0)


class PolicyRun(Fact):
    """The facet. What is not known yet is absent; an event that comes later knows more.

    Args:
        project: label of the project that the policy is approved in; absent for a policy file.
        policy_digest: 64 lower-case hex digits.
        policy_label: name of the policy.
        job_id: of the job in the coordinator, 32 lower-case hex digits.
        engine: local or spark.
        application_id: of the Spark application that does the work.
        coverage: one entry for each input column.
        filters: columns that decide which rows stay.
        rows_in, rows_out, rows_suppressed: rows read, written, and left out by row conditions.
        error: of a run that failed.
    """

    project: str | None = None
    policy_digest: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    policy_label: str | None = None
    job_id: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    engine: str | None = None
    application_id: str | None = None
    coverage: tuple[Coverage, ...] | None = None
    filters: tuple[Influence, ...] | None = None
    rows_in: int | None = Field(None, ge=0)
    rows_out: int | None = Field(None, ge=0)
    rows_suppressed: int | None = Field(None, ge=0)
    error: Failure | None = None

    @classmethod
    def of(
        cls,
        project: str | None,
        start: JobStart | None,
        lineage: Lineage | None,
        finish: JobFinish | None,
        error: Failure | None,
    ) -> PolicyRun:
        """Return the facet of what is known of a run; None stands for what is not."""
        return cls(
            project=project,
            error=error,
            **{
                **(_of_start(start) if start else {}),
                **(_of_lineage(lineage, finish) if lineage else {}),
                **(_of_finish(finish) if finish else {}),
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data that `run_facet_schema` describes."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def run_facet_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the facet, as OpenLineage asks for one of each custom facet."""
    ours = PolicyRun.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    others = ours.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _URL,
        "$defs": {**others, _NAME: {"allOf": [{"$ref": _RUN_FACET}, {**ours, "additionalProperties": True}]}},
        "type": "object",
        "properties": {FACET: {"$ref": f"#/$defs/{_NAME}"}},
    }


def _of_start(start: JobStart) -> dict[str, Any]:
    return {
        "job_id": start.job_id,
        "policy_digest": start.policy_digest,
        "engine": start.engine,
        "application_id": start.application_id,
    }


def _of_lineage(lineage: Lineage, finish: JobFinish | None) -> dict[str, Any]:
    counts = {each.name: each for each in finish.columns} if finish else {}
    return {
        "policy_digest": lineage.policy_digest,
        "policy_label": lineage.policy_label,
        "filters": lineage.filters,
        "coverage": tuple(_covered(column, counts.get(column.name)) for column in lineage.columns),
    }


def _covered(column: ColumnTrace, counts: ColumnCounts | None) -> Coverage:
    if counts is None or column.decision == "dropped":  # what is dropped is not read, and so not counted
        return Coverage(**dict(column))
    return Coverage(**dict(column), values=counts.values, nulls=counts.nulls)


def _of_finish(finish: JobFinish) -> dict[str, Any]:
    rows_in, rows_out = finish.progress.rows_in, finish.progress.rows_out
    return {"rows_in": rows_in, "rows_out": rows_out, "rows_suppressed": rows_in - rows_out}
