"""Lineage: what came from where and what became of it, as OpenLineage tells it. Schemas and counts; never a value."""

from cape_airflow.lineage.naming import DatasetName, dataset_name
from cape_airflow.lineage.run import PolicyRun, run_facet_schema
from cape_airflow.lineage.trace import ColumnTrace, Influence, Lineage, trace

__all__ = [
    "ColumnTrace",
    "DatasetName",
    "Influence",
    "Lineage",
    "PolicyRun",
    "dataset_name",
    "run_facet_schema",
    "trace",
]
