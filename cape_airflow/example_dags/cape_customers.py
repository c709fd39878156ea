"""Wait for an approval, then de-identify a file under exactly the policy that was approved.

The sensor hands on the digest of the approved policy. The transformation is pinned to it: a policy that is approved
between the two tasks does not slip in.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor

with DAG(
    dag_id="cape_customers",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "source": Param("/data/customers.csv", type="string", description="Path or URL of the input."),
        "target": Param("/data/deidentified.parquet", type="string", description="Path or URL of the output."),
    },
) as dag:
    approved = CapePolicyApprovalSensor(
        task_id="approved",
        project="{{ params.project }}",
        timeout=7 * 24 * 3600,
    )
    (
        CapeTransformOperator(
            task_id="deidentify",
            project="{{ params.project }}",
            policy_digest="{{ ti.xcom_pull(task_ids='approved') }}",
            source="{{ params.source }}",
            target="{{ params.target }}",
        )
        << approved
    )
