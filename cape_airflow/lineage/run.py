"""Our facet of a run: which policy ran, in which job, what became of each column, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from cape_airflow.errors import CoordinatorRefused
from cape_airflow.lineage.facts import ColumnTrace, Fact, Influence, Lineage

if TYPE_CHECKING:
    from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart

FACET = "cape_policy"
_NAME = "CapePolicyRunFacet"
_URL = f"https://raw.githubusercontent.com/capeprivacy/cape_airflow/main/docs/openlineage/1-0-0/{_NAME}.json"
SCHEMA_URL = f"{_URL}#/$defs/{_NAME}"
PRODUCER = "https://github.com/capeprivacy/cape_airflow"
_RUN_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"


class Failure(Fact):
    """Why a run failed."""

    type: str
    """Class of the error."""
    code: str | None = None
    """Machine-readable code of a coordinator's refusal, e.g. policy-not-approved."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return what may be told of any error: not its message, which may hold a value."""
        code = error.code if isinstance(error, CoordinatorRefused) else ""
        return cls(type=type(error).__name__, code=code or None)


class Coverage(ColumnTrace):
    """What became of one input column, with counts once the run has succeeded."""

    values: int | None = Field(None, ge=0)
    """Non-null values that went in, over the rows that came out."""
    nulls: int | None = Field(None, ge=0)
    """Null values that came out."""


class PolicyRun(Fact):
    """Which policy ran, and what it did. What is not known yet is absent; an event that comes later knows more."""

    project: str | None = None
    """Label of the project that the policy is approved in; absent where only a policy file said what to do."""
    policy_digest: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of the policy's canonical form."""
    policy_label: str | None = None
    """Name of the policy."""
    job_id: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    """Of the job in the coordinator; the same for every try of a task."""
    engine: str | None = None
    """What ran the policy: local or spark."""
    application_id: str | None = None
    """Of the Spark application that did the work."""
    coverage: tuple[Coverage, ...] | None = None
    """One entry for each input column."""
    filters: tuple[Influence, ...] | None = None
    """Columns that decide which rows stay."""
    rows_in: int | None = Field(None, ge=0)
    """Rows read."""
    rows_out: int | None = Field(None, ge=0)
    """Rows written."""
    rows_suppressed: int | None = Field(None, ge=0)
    """Rows left out by row conditions."""
    error: Failure | None = None
    """Of a run that failed."""

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
    ours = _plain(PolicyRun.model_json_schema(by_alias=True, ref_template="#/$defs/{model}"))
    others = ours.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _URL,
        "$defs": {**others, _NAME: {"allOf": [{"$ref": _RUN_FACET}, {**ours, "additionalProperties": True}]}},
        "type": "object",
        "properties": {FACET: {"$ref": f"#/$defs/{_NAME}"}},
    }


def _plain(schema: Any) -> Any:
    """Return a schema without what only pydantic says: titles, and null for what is absent."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    [value] = [each for each in schema.get("anyOf", [{}]) if each != {"type": "null"}]
    said = {**schema, **value}
    return {name: _plain(part) for name, part in said.items() if name not in {"anyOf", "default", "title"}}


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
