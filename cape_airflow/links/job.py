"""The link from a task to its job in the coordinator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class CapeJobLink(BaseOperatorLink):
    """The URL of the task's job.

    Airflow asks for it in the task process when the task ends, and stores the answer as an XCom: the operator keeps
    the URL in its attribute `job_url`, which is empty as long as no job has been reported.
    """

    name = "Cape job"
    xcom_key = "cape_job_link"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the operator's `job_url`."""
        return str(getattr(operator, "job_url", ""))
