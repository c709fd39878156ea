"""De-identify a file under one approved policy, named by its digest, whatever is approved later.

For output that must stay comparable over months: a new policy takes effect here only when this file changes.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.transform import CapeTransformOperator

with DAG(
    dag_id="cape_pinned_digest",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string"),
        "policy_digest": Param("0" * 64, type="string", pattern="^[0-9a-f]{64}$", description="See: cape policy get"),
        "source": Param("/data/customers.csv", type="string"),
        "target": Param("/data/deidentified.parquet", type="string"),
    },
) as dag:
    CapeTransformOperator(
        task_id="deidentify",
        project="{{ params.project }}",
        policy_digest="{{ params.policy_digest }}",
        source="{{ params.source }}",
        target="{{ params.target }}",
        retries=2,
    )
