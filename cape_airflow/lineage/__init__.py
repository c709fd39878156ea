"""Lineage: what came from where and what became of it, as OpenLineage tells it. Schemas and counts; never a value.

A task that begins waits until the event of its start is made: only `lineage.trace` imports policies and Arrow.
"""

from cape_airflow.lineage.facts import ColumnTrace, Influence, Lineage
from cape_airflow.lineage.naming import DatasetName, dataset_name
from cape_airflow.lineage.run import PolicyRun, run_facet_schema

__all__ = [
    "ColumnTrace",
    "DatasetName",
    "Influence",
    "Lineage",
    "PolicyRun",
    "dataset_name",
    "run_facet_schema",
]
