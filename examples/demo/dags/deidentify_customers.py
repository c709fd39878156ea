"""Wait until the project has an approved policy, then de-identify the customers file under it."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.sensors.approval import CapePolicyApprovalSensor

with DAG(
    dag_id="deidentify_customers",
    schedule=None,
    params={"source": Param(type="string"), "target": Param(type="string")},
    tags=["cape"],
    doc_md=__doc__,
):
    approved = CapePolicyApprovalSensor(
        task_id="wait_for_approval",
        project="customers",
        poke_interval=5,
        timeout=3600,
    )
    deidentify = CapeTransformOperator(
        task_id="deidentify",
        project="customers",
        source="{{ params.source }}",
        target="{{ params.target }}",
    )
    approved >> deidentify
