"""De-identify each file of a folder in a task of its own, all under one policy: the one that is approved first.

The files are found when the DAG runs. Each instance of the mapped task is a job of its own in the coordinator.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task

from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor

with DAG(
    dag_id="cape_partitions",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "source": Param("/data/customers", type="string", description="A folder of Parquet files."),
        "target": Param("/data/deidentified", type="string", description="Another; the files keep their names."),
    },
) as dag:
    approved = CapePolicyApprovalSensor(task_id="approved", project="{{ params.project }}")

    @task
    def partitions(*, params: Any = None) -> list[dict[str, str]]:
        """Return each file, with its place in the output."""
        found = ObjectStoragePath(params["source"]).iterdir()
        files = sorted((file for file in found if file.name.endswith(".parquet")), key=str)
        return [{"source": str(file), "target": f"{params['target']}/{file.name}"} for file in files]

    deidentified = CapeTransformOperator.partial(
        task_id="deidentify",
        project="{{ params.project }}",
        policy_digest="{{ ti.xcom_pull(task_ids='approved') }}",
    ).expand_kwargs(partitions())
    approved >> deidentified
