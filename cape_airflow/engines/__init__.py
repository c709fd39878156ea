"""Engines run Plans: `run_local` over datasets, `apply` over frames in memory."""

from cape_airflow.engines.bound import BoundPlan
from cape_airflow.engines.frames import apply
from cape_airflow.engines.local import failed, run_local

__all__ = ["BoundPlan", "apply", "failed", "run_local"]
