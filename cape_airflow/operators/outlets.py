"""What the asset events of a task say: which policy made the data. Names, techniques and counts, never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from cape_airflow.jobs import JobFinish, JobStart


def describe_outlets(
    task: BaseOperator, context: Context, project: str | None, start: JobStart, finish: JobFinish
) -> None:
    """Put into the event of each asset among a task's outlets which policy made the data, and what became of columns.

    What the task itself put there stays, but for keys of the same name. An alias gets no event: no asset is known.

    Args:
        task: whose outlets.
        context: of the running task.
        project: label; None where only a policy file said what to do.
        start: of the job.
        finish: of the same job, which succeeded.
    """
    from airflow.sdk.definitions.asset import Asset, AssetRef

    assets = [outlet for outlet in task.outlets if isinstance(outlet, Asset | AssetRef)]
    extra = outlet_extra(project, start, finish)
    for asset in assets:
        event = context["outlet_events"][asset]
        event.extra = {**event.extra, **extra}


def outlet_extra(project: str | None, start: JobStart, finish: JobFinish) -> dict[str, Any]:
    """Return what an event says; the arguments are those of `describe_outlets`."""
    return {
        "policy_digest": start.policy_digest,
        "job_id": start.job_id,
        "project": project,
        "rows_out": finish.progress.rows_out,
        "columns": {
            column.name: {"decision": column.decision, "techniques": list(column.techniques)}
            for column in finish.columns
        },
    }
