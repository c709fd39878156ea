"""Techniques: what a policy can do to a column.

`create` turns a policy's ``transform`` into a `Technique`; a `Transformation` is one that maps a column to a column.
"""

from cape_airflow.transformations.base import (
    Binding,
    Family,
    Kernel,
    KeyReference,
    Technique,
    Transformation,
)
from cape_airflow.transformations.registry import create, techniques
from cape_airflow.transformations.suppression import SuppressAttribute, SuppressRecord

__all__ = [
    "Binding",
    "Family",
    "Kernel",
    "KeyReference",
    "SuppressAttribute",
    "SuppressRecord",
    "Technique",
    "Transformation",
    "create",
    "techniques",
]
