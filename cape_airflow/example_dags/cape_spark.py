"""De-identify a dataset on Spark under the policy that is approved in a project.

The Airflow connection `spark_default`, of type `spark` or `spark_connect`, says which Spark.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from cape_airflow.operators.spark import CapeSparkOperator

with DAG(
    dag_id="cape_spark",
    schedule=None,
    doc_md=__doc__,
    tags=["cape", "example"],
    params={
        "project": Param("customers", type="string", description="Label of the project in the coordinator."),
        "source": Param("/shared/customers", type="string", description="Anything that Spark reads."),
        "target": Param("/shared/deidentified", type="string", description="A folder that worker and Spark share."),
    },
) as dag:
    CapeSparkOperator(
        task_id="deidentify",
        project="{{ params.project }}",
        source="{{ params.source }}",
        target="{{ params.target }}",
    )
