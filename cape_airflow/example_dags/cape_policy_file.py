"""De-identify a file under a policy file, with keys from a key file: no coordinator, no approval, no job report.

For a first try, or where the policy file itself is under review, e.g. by pull request.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.transform import CapeTransformOperator

with DAG(
    dag_id="cape_policy_file",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "policy_file": Param("/policies/customers.yaml", type="string"),
        "key_file": Param("/keys/customers.json", type="string", description="Made by: cape keys new"),
        "source": Param("/data/customers.csv", type="string"),
        "target": Param("/data/deidentified.parquet", type="string"),
    },
) as dag:
    CapeTransformOperator(
        task_id="deidentify",
        policy_file="{{ params.policy_file }}",
        key_file="{{ params.key_file }}",
        source="{{ params.source }}",
        target="{{ params.target }}",
    )
