"""Suggest a policy, wait until people approve it, de-identify under just that policy, and verify what was written.

The policy is the file that stands beside the DAG, say. Suggesting it again and again does no harm: what is in force, or
waits for its review, is not suggested twice. `cape_author` is a connection of somebody who may suggest, `cape_default`
that of the worker.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.suggest import CapeSuggestPolicyOperator
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.operators.verify import CapeVerifyOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor

with DAG(
    dag_id="cape_suggest_verify",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "policy_file": Param("/policies/customers.yaml", type="string", description="Path of the policy."),
        "source": Param("/data/customers.csv", type="string", description="Path or URL of the input."),
        "target": Param("/data/deidentified.parquet", type="string", description="Path or URL of the output."),
    },
) as dag:
    suggested = CapeSuggestPolicyOperator(
        task_id="suggested",
        project="{{ params.project }}",
        policy_file="{{ params.policy_file }}",
        title="As in {{ dag.dag_id }}",
        dry_run_source="{{ params.source }}",
        cape_conn_id="cape_author",
    )
    approved = CapePolicyApprovalSensor(
        task_id="approved",
        project="{{ params.project }}",
        suggestion_id="{{ ti.xcom_pull(task_ids='suggested')['suggestion_id'] }}",
        timeout=7 * 24 * 3600,
    )
    deidentify = CapeTransformOperator(
        task_id="deidentify",
        project="{{ params.project }}",
        policy_digest="{{ ti.xcom_pull(task_ids='approved') }}",
        source="{{ params.source }}",
        target="{{ params.target }}",
    )
    verified = CapeVerifyOperator(
        task_id="verified",
        project="{{ params.project }}",
        job_id="{{ ti.xcom_pull(task_ids='deidentify')['job_id'] }}",
        source="{{ params.source }}",
        target="{{ params.target }}",
    )
    suggested >> approved >> deidentify >> verified
