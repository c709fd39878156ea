"""From one PostgreSQL database to another: only de-identified rows, and all of them or none.

Connections: `cape_default`, and two of type `postgres`. Addresses and passwords stand there, never in a DAG.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.transform import CapeTransformOperator

with DAG(
    dag_id="cape_postgres",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string"),
        "source_conn_id": Param("production", type="string"),
        "target_conn_id": Param("warehouse", type="string"),
        "day": Param("2026-11-21", type="string", format="date"),
    },
) as dag:
    # The table is replaced in one transaction: whoever reads it sees the old rows or the new ones.
    CapeTransformOperator(
        task_id="customers",
        project="{{ params.project }}",
        source="table:public.customers",
        source_conn_id="{{ params.source_conn_id }}",
        target="table:analysis.customers",
        target_conn_id="{{ params.target_conn_id }}",
    )
    # The orders of one day are added once for each run, however often the task is tried.
    CapeTransformOperator(
        task_id="orders_of_the_day",
        project="{{ params.project }}",
        source="query:select * from orders where day = date '{{ params.day }}'",
        source_conn_id="{{ params.source_conn_id }}",
        target="table:analysis.orders",
        target_conn_id="{{ params.target_conn_id }}",
        target_mode="append",
    )
