"""Two DAGs: one de-identifies a file, and the other runs when it has, and checks which policy made the data.

The asset's event carries the digest of the policy, the job, and what became of each column.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from cape_airflow.operators.transform import CapeTransformOperator

deidentified = Asset(name="customers-deidentified", uri="file:///data/deidentified.parquet")

with DAG(
    dag_id="cape_assets",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "source": Param("/data/customers.csv", type="string"),
        "target": Param("/data/deidentified.parquet", type="string"),
    },
) as dag:
    CapeTransformOperator(
        task_id="deidentify",
        project="{{ params.project }}",
        source="{{ params.source }}",
        target="{{ params.target }}",
        outlets=[deidentified],
    )

with DAG(
    dag_id="cape_assets_consumer",
    schedule=[deidentified],
    doc_md=__doc__,
    tags=["cape", "example"],
) as consumer:

    @task(inlets=[deidentified])
    def check(*, inlet_events: Any = None) -> dict[str, Any]:
        """Refuse data in which the e-mail addresses are as they were; return what is known of it."""
        made: dict[str, Any] = inlet_events[deidentified][-1].extra
        if made["columns"].get("email", {}).get("decision") == "kept":
            raise ValueError(f"policy {made['policy_digest']} keeps e-mail addresses")
        return made

    check()
