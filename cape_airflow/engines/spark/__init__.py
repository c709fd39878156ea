"""Plans on Spark: the same kernels, on the executors, over DataFrames of classic Spark and of Spark Connect.

``cape_airflow.spark.apply(policy, df)`` is all that a notebook needs; the rest is what a job is made of.
"""

from __future__ import annotations

from importlib.util import find_spec

from cape_airflow.errors import MissingExtra

if find_spec("pyspark") is None:
    raise MissingExtra("pyspark", "spark")

from cape_airflow.engines.spark.counts import Counts, counted
from cape_airflow.engines.spark.failures import own_errors
from cape_airflow.engines.spark.frames import apply, apply_plan, compile_for
from cape_airflow.engines.spark.guarantees import check_guarantees

__all__ = ["Counts", "apply", "apply_plan", "check_guarantees", "compile_for", "counted", "own_errors"]
