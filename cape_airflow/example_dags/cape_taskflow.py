"""De-identify what a function returns: the function draws the data, and only what the policy leaves is written.

The function is called once the policy is known to be approved. Nothing of what it returns reaches XCom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, task

if TYPE_CHECKING:  # for the annotation only, so that the DAG parses fast
    import pyarrow as pa

with DAG(
    dag_id="cape_taskflow",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "source": Param("/data/customers.parquet", type="string"),
        "target": Param("/data/deidentified.parquet", type="string"),
    },
) as dag:

    @task.cape_transform(project="{{ params.project }}", target="{{ params.target }}")
    def extract(*, params: Any = None) -> pa.Table:
        """Read the customers of today; any code that ends with a frame could stand here."""
        import pyarrow.parquet as pq

        return pq.read_table(params["source"])

    extract()
